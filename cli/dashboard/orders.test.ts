import { expect, it } from 'vitest'
import {
  approvalStatus,
  dashboardAt,
  effectsOf,
  keys,
  lost,
  normalStatus,
  nowMs,
  seen,
  textOf,
} from '../../test/support/dashboard.ts'
import { step } from './step.ts'

const size = { width: 80, height: 24 }
const approving = dashboardAt(size, seen(approvalStatus()))

it('pauses the rollout that was shown, with a reason', () => {
  expect(effectsOf(approving, ...keys('plunch\r')).at(-1)).toEqual({
    kind: 'order',
    order: { verb: 'pause', fleet: 'edge', rollout: 'edge-7', wave: '' },
    reason: 'lunch',
  })
})

it('approves the very wave that waits', () => {
  expect(effectsOf(approving, ...keys('alooks good\r')).at(-1)).toEqual({
    kind: 'order',
    order: { verb: 'approve', fleet: 'edge', rollout: 'edge-7', wave: 'tenth' },
    reason: 'looks good',
  })
})

it('sends none without a reason, after Esc, or twice', () => {
  for (const sent of ['p\r', 'p  \r', 'plunch\u001b', 'plunch\u0003']) {
    const kinds = effectsOf(approving, ...keys(sent)).map(({ kind }) => kind)
    expect([sent, kinds.includes('order'), kinds.includes('quit')]).toEqual([sent, false, false])
  }
  const orders = effectsOf(approving, ...keys('plunch\rpagain\r')).filter(({ kind }) => kind === 'order')
  expect(orders).toHaveLength(1)
})

it('says so where there is nothing to approve, or to pause', () => {
  expect(textOf(dashboardAt(size, seen(normalStatus()), ...keys('a')))).toContain(
    '✖ no wave of edge waits for an approval',
  )
  expect(textOf(dashboardAt(size, seen(normalStatus()), ...keys('jp')))).toContain(
    '✖ lab has no rollout to pause',
  )
  expect(textOf(dashboardAt(size, ...keys('p')))).toContain('✖ there is no fleet here to pause')
})

it('gives none on a picture that is stale', () => {
  const stale = dashboardAt(size, seen(approvalStatus()), lost(nowMs + 1), ...keys('a'))
  expect([stale.mode.kind, textOf(stale).includes('no connection: approve edge once it is back')]).toEqual([
    'browse',
    true,
  ])
  const losing = [...keys('agood'), lost(nowMs + 1), ...keys('\r')]
  expect(effectsOf(approving, ...losing).some(({ kind }) => kind === 'order')).toBe(false)
})

it('never takes a paste for an order, and takes it for a reason', () => {
  const pasted = keys('\u001b[200~plunch\r\u001b[201~')
  expect(effectsOf(approving, ...pasted)).toEqual([])
  const reason = dashboardAt(size, seen(approvalStatus()), ...keys('p'), ...pasted)
  expect(reason.mode).toMatchObject({ kind: 'reason', text: 'plunch ' })
})

it('shows what it asks, what is on its way and what came of it', () => {
  const typed = [seen(approvalStatus()), ...keys('alook\u007fks good')]
  expect(textOf(dashboardAt(size, ...typed))).toContain(
    'approve edge (wave "tenth" of rollout edge-7)\nreason: looks good▏\n',
  )
  const sent = dashboardAt(size, ...typed, ...keys('\r'))
  expect(textOf(sent)).toContain('◌ approve edge: sent, waiting for the answer')
  const done = step(sent, {
    kind: 'ordered',
    notice: { tone: 'good', text: 'wave "tenth" is approved' },
  }).model
  expect(textOf(done)).toContain('✔ wave "tenth" is approved')
  expect(textOf(keys('j').reduce((model, key) => step(model, key).model, done))).not.toContain('is approved')
})

it('shows the end of a long reason while it is typed, and keeps it to what is taken', () => {
  const long = dashboardAt(size, seen(approvalStatus()), ...keys(`p${'because '.repeat(90)}`))
  expect(long.mode).toMatchObject({ text: expect.stringMatching(/^.{500}$/) })
  expect(textOf(long)).toMatch(/^reason: ….*▏$/m)
  const erased = keys('\u0015').reduce((model, key) => step(model, key).model, long)
  expect(erased.mode).toMatchObject({ text: '' })
})
