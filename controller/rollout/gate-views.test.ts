import { expect, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import {
  fleetView,
  fleetWith,
  nowOf,
  rolledOut,
  rolloutView,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, move, pass, restart, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { Analysis, Freeze, Strategy, Window } from '../desired-state/types.ts'
import type { WaveView } from './wave-views.ts'

const hourMs = 3_600_000
const said = { actor: 'kim', reason: 'looks good' }
const provider = { kind: 'named', check: 'errors' } as const
const errors: Analysis = { name: 'errors', provider, intervalMs: 60_000, failureLimit: 1 }
const latency: Analysis = { ...errors, name: 'latency' }
const canary = waveOf('canary', { kind: 'count', count: 1 }, hourMs)
const rest = waveOf('rest', { kind: 'percent', percent: 100 })

function begun(strategy: Partial<Strategy>): World {
  const world = rolledOut('1.0.0', 2)
  want(world, [fleetWith('2.0.0', { strategy: strategyWith(strategy) })], 'c2')
  settleAll(world)
  return world
}

const first = (world: World): WaveView => {
  const [wave] = rolloutView(world).waves
  if (wave === undefined) throw new Error('there is no wave')
  return wave
}

function measured(world: World, analysis: string, kind: 'Passed' | 'Failed' | 'Inconclusive'): void {
  const outcome = { kind, detail: '0.2, wanted < 0.1' }
  dispatch(world, { kind: 'measured', rolloutId: 'edge.2', wave: 'canary', analysis, outcome })
}

test('a soak shows what is left of it and what did not pass', () => {
  const world = begun({ waves: [canary, rest], analysis: [errors, latency] })
  pass(world, 60_000)
  measured(world, 'errors', 'Failed')
  measured(world, 'latency', 'Passed')
  const { gate, message, state } = first(world)
  expect([state, message]).toEqual([
    'Soaking',
    'soaking, 59m0s left; errors Failed (0.2, wanted < 0.1), failed 1 of at most 1 times',
  ])
  expect(gate).toMatchObject({
    soakMs: hourMs,
    soakedMs: 60_000,
    approval: null,
    window: null,
    promoted: null,
  })
  expect(gate.analyses.map(({ name, outcome, failed }) => [name, outcome, failed])).toEqual([
    ['errors', 'Failed', 1],
    ['latency', 'Passed', 0],
  ])
})

test('an analysis that is waited for is shown with what was found last', () => {
  const world = begun({ waves: [{ ...canary, soakMs: 0 }, rest], analysis: [errors, latency] })
  expect(first(world).message).toBe(
    'soaked 0s; 0 of 2 analyses passed since; errors is not measured yet; latency is not measured yet',
  )
  measured(world, 'errors', 'Passed')
  expect(first(world).message).toBe('soaked 0s; 1 of 2 analyses passed since; latency is not measured yet')
  measured(world, 'latency', 'Inconclusive')
  expect(rolloutView(world)).toMatchObject({ state: 'Paused', pausedFor: 'Inconclusive' })
  expect(first(world).message).toContain('latency Inconclusive (0.2, wanted < 0.1)')
})

test('an approval is shown with its time, and afterwards with who gave it', () => {
  const world = begun({
    waves: [{ ...canary, soakMs: 0, approval: { approvers: 1, expiresAfterMs: hourMs } }, rest],
  })
  expect(first(world).message).toContain('waits for approval, expires in 1h0m')
  pass(world, 60_000)
  const { wallMs } = nowOf(world)
  expect(first(world).gate.approval).toEqual({
    approvals: [],
    approvers: 1,
    askedAtMs: wallMs - 60_000,
    expiresAtMs: wallMs + hourMs - 60_000,
    approved: null,
  })
  expect(fleetView(world)).toMatchObject({
    state: 'AwaitingApproval',
    message: expect.stringContaining('waits for approval since 1m0s, expires in 59m0s'),
  })
  dispatch(world, { kind: 'approve', rolloutId: 'edge.2', ...said })
  settleAll(world)
  expect(first(world).gate.approval).toEqual({
    approvals: [{ verb: 'approve', atMs: wallMs, ...said }],
    approvers: 1,
    askedAtMs: 0,
    expiresAtMs: 0,
    approved: { verb: 'approve', atMs: wallMs, ...said },
  })
  expect(first(world).message).toBe('done, approved by kim: "looks good"')
  // As it was stored before every approval was kept.
  for (const [id, record] of world.store.rollouts) {
    const waves = record.waves.map((wave) => ({ ...wave, approvals: [] }))
    world.store.rollouts.set(id, { ...record, waves })
  }
  restart(world)
  expect(first(world).message).toBe('done, approved by kim: "looks good"')
})

test('an approval by two says how many have given it', () => {
  const approval = { approvers: 2, expiresAfterMs: hourMs }
  const world = begun({ waves: [{ ...canary, soakMs: 0, approval }, rest] })
  expect(first(world).message).toContain('waits for approval: 0 of 2, expires in 1h0m')
  dispatch(world, { kind: 'approve', rolloutId: 'edge.2', ...said })
  expect(first(world).message).toContain('waits for approval: 1 of 2, by kim, expires in 1h0m')
})

test('a promotion is shown with who ordered it', () => {
  const world = begun({ waves: [canary, rest] })
  dispatch(world, { kind: 'promote', rolloutId: 'edge.2', actor: 'lee', reason: '' })
  settleAll(world)
  expect(first(world).message).toBe('soaked 1h0m, promoted by lee')
  expect(first(world).gate.promoted).toMatchObject({ verb: 'promote', actor: 'lee' })
})

// The world begins at midnight.
const window: Window = {
  kind: 'Allow',
  days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
  startMinute: 6 * 60,
  durationMs: 2 * hourMs,
  timeZone: 'UTC',
  actions: ['Download', 'Activate'],
}

test('a wave that waits for a window says when it opens', () => {
  const world = begun({ waves: [rest], windows: [window] })
  const { gate, message, state } = first(world)
  expect([state, message]).toEqual([
    'WaitingWindow',
    '0/2 done; waits for a window, which opens Thu 06:00 UTC, in 6h0m',
  ])
  expect(gate.window?.opensAtMs).toBe(nowOf(world).wallMs + 6 * hourMs)
})

test('a wave whose hosts are staged waits for a window to activate, which may never come', () => {
  const short = { ...window, durationMs: 60_000, actions: ['Activate'] } as const
  const world = begun({ waves: [rest], windows: [short] })
  expect(first(world)).toMatchObject({
    state: 'WaitingWindow',
    message: '0/2 done; waits for a window, and none is long enough',
    gate: { window: { opensAtMs: 0 } },
  })
})

test('a wave that a freeze holds names it', () => {
  const world = rolledOut('1.0.0', 2)
  const fromMs = world.wallMs
  const fair: Freeze = { name: 'fair', fromMs, toMs: fromMs + hourMs, selector: { kind: 'all' }, except: [] }
  want(world, [fleetWith('2.0.0', { strategy: strategyWith({ waves: [rest] }) })], 'c2', { freezes: [fair] })
  settleAll(world)
  expect(first(world)).toMatchObject({
    message: '0/2 done; waits for the end of freeze "fair"',
    gate: { window: { opensAtMs: fromMs + hourMs } },
  })
})

test('a rollout that is about to succeed says that every wave is over', () => {
  const world = rolledOut('1.0.0')
  want(world, [fleetWith('2.0.0', { strategy: strategyWith({ waves: [rest] }) })], 'c2')
  dispatch(world, { kind: 'timer' })
  while (first(world).state === 'Running') for (const agent of world.agents.values()) move(world, agent)
  expect(rolloutView(world)).toMatchObject({ state: 'Progressing', message: 'every wave is over' })
  settleAll(world)
  expect(rolloutView(world).state).toBe('Succeeded')
})

test('a fleet that is halted says so, and by whom', () => {
  const world = rolledOut('1.0.0', 2)
  dispatch(world, { kind: 'halt', fleet: 'edge', ...said })
  expect(fleetView(world)).toMatchObject({
    state: 'Halted',
    message: 'fleet edge was halted by kim: "looks good"; "bootfleet resume edge" goes on',
    halted: { verb: 'halt', ...said },
  })
  dispatch(world, { kind: 'halt', fleet: null, actor: 'lee', reason: '' })
  dispatch(world, { kind: 'unhalt', fleet: 'edge', ...said })
  expect(fleetView(world)).toMatchObject({ state: 'Halted', halted: { actor: 'lee' } })
  expect(fleetView(world).log.map(({ verb }) => verb)).toEqual(['halt', 'unhalt'])
  expect(imageOf('1.0.0').digest).toBe(fleetView(world).stableDigest)
})
