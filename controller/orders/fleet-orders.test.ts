import { expect, test } from 'vitest'
import { digestOf, openRecords } from '../../test/support/stored-records.ts'
import type { DigestOrder, HaltOrder, OrderPlan } from './order.ts'
import { planOrder } from './plan.ts'

type Given = Parameters<typeof openRecords>[0]

const said = { actor: 'kim', reason: 'leaks' }
const by = { actor: 'lee', reason: 'fire', atMs: 0 }

function digestOrder(given: Given, kind: DigestOrder['kind'], digest: string): OrderPlan {
  return planOrder(openRecords(given), { kind, fleet: 'edge', digest, ...said })
}

function haltOrder(given: Given, kind: HaltOrder['kind'], fleet: string | null): OrderPlan {
  return planOrder(openRecords(given), { kind, fleet, ...said })
}

test('a digest is denied in full or by its beginning, once', () => {
  const event = { kind: 'deny', fleet: 'edge', digest: digestOf('1'), ...said }
  for (const digest of [digestOf('1'), 'sha256:1111', '11111']) {
    expect(digestOrder({}, 'deny', digest)).toMatchObject({ event, digest: digestOf('1') })
  }
  expect(digestOrder({}, 'deny', digestOf('9')).event).toMatchObject({ digest: digestOf('9') })
  const denied = [{ digest: digestOf('1'), reason: 'till-17 failed', atMs: 0 }]
  expect(digestOrder({ fleet: { denied } }, 'deny', '1111').message).toContain(
    'was denied to fleet edge already',
  )
})

test('a beginning that names none or several is refused', () => {
  const close = `sha256:1111${'2'.repeat(60)}`
  expect(() => digestOrder({}, 'deny', '9999')).toThrow('knows none that begins so')
  expect(() => digestOrder({ fleet: { allowed: [close] } }, 'deny', '1111')).toThrow('knows 2 that begin so')
  expect(() => digestOrder({}, 'deny', 'latest')).toThrow('write sha256:… in full')
})

test('what is not denied may still be in the ledger of a host, so it is allowed once', () => {
  expect(digestOrder({}, 'allow', '1111').event).toMatchObject({ kind: 'allow', digest: digestOf('1') })
  expect(digestOrder({ fleet: { allowed: [digestOf('1')] } }, 'allow', '1111').event).toBeNull()
  const unknown = { kind: 'allow', fleet: 'west', digest: '1111', ...said } as const
  expect(() => planOrder(openRecords({}), unknown)).toThrow('there is no such fleet')
})

test('a halt is of one fleet or of all, and says when it holds already', () => {
  expect(haltOrder({}, 'halt', 'edge').event).toEqual({ kind: 'halt', fleet: 'edge', ...said })
  expect(haltOrder({}, 'halt', null).event).toEqual({ kind: 'halt', fleet: null, ...said })
  const again = haltOrder({ everyFleet: { halted: by } }, 'halt', null)
  expect([again.event, again.message]).toEqual([
    null,
    'every fleet was halted already, by lee at 1970-01-01T00:00:00.000Z: "fire"',
  ])
})

test('a halt of all is not lifted fleet by fleet', () => {
  expect(haltOrder({ everyFleet: { halted: by } }, 'unhalt', null).event).toMatchObject({ fleet: null })
  expect(() => haltOrder({ everyFleet: { halted: by } }, 'unhalt', 'edge')).toThrow(
    '"bootfleet resume --all"',
  )
  expect(haltOrder({}, 'unhalt', 'edge').message).toBe('fleet edge is not halted')
})

test('resume lifts a halt before it resumes the rollout', () => {
  const resume = (given: Given, target = 'edge'): OrderPlan =>
    planOrder(openRecords(given), { kind: 'resume', target, wave: null, ...said })
  const paused = { rollout: { state: { kind: 'Paused', cause: { kind: 'User', ...by } } } }
  expect(resume({ ...paused, fleet: { halted: by } })).toMatchObject({
    event: { kind: 'unhalt', fleet: 'edge' },
    rolloutId: 'edge.1',
  })
  expect(resume({ ...paused, fleet: { halted: by } }, 'edge.1').event).toMatchObject({ kind: 'unhalt' })
  expect(resume(paused).event).toMatchObject({ kind: 'resume' })
  expect(() => resume({ ...paused, everyFleet: { halted: by } })).toThrow('resuming fleet edge: every fleet')
  expect(() => resume(paused, 'west')).toThrow('there is no such fleet')
})
