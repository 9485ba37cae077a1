import { expect, test } from 'vitest'
import { imageOf, reportOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, nowOf, rolledOut, strategyWith } from '../../test/support/rollout-fleet.ts'
import {
  dispatch,
  enrol,
  move,
  newWorld,
  pass,
  restart,
  settleAll,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { Host } from './state.ts'
import type { WantedFleet } from './wanted.ts'
import { whyHost } from './why.ts'
import type { WhyView } from './why.ts'

const said = { actor: 'kim', reason: 'lunch' }
const canaryFirst = {
  waves: [
    {
      ...waveOf('canary', { kind: 'count', count: 1 }),
      approval: { approvers: 1, expiresAfterMs: 3_600_000 },
    },
    waveOf('rest', { kind: 'percent', percent: 100 }),
  ],
} as const

function why(world: World, hostId: string): WhyView {
  return whyHost(world.state, world.state.hosts.get(hostId) as Host, nowOf(world))
}

/** Three hosts on 1.0.0, and 2.0.0 with a canary that waits for approval. */
function awaiting(changes: Partial<WantedFleet['strategy']> = {}): World {
  const world = rolledOut('1.0.0', 3)
  want(world, [fleetWith('2.0.0', { strategy: strategyWith({ ...canaryFirst, ...changes }) })], 'c2')
  settleAll(world)
  return world
}

/** One thing that happens next. */
function step(world: World): boolean {
  if (world.wakeInMs === 0) {
    dispatch(world, { kind: 'timer' })
    return true
  }
  return [...world.agents.values()].some((agent) => move(world, agent))
}

const waiting = (world: World): string =>
  ['h0', 'h1', 'h2'].find((id) => world.state.hosts.get(id)?.grants.get('edge.2')?.phase !== 'Succeeded') ??
  ''

test('a host that waits for a wave is told what that wave waits for', () => {
  const world = awaiting()
  pass(world, 60_000)
  const view = why(world, waiting(world))
  expect(view).toMatchObject({ reason: 'WaitsForWave', fleet: 'edge', phase: 'Pending' })
  expect(view.message).toMatch(/^waits for wave "canary": waits for approval since 1m0s/)
  expect(view.next).toBe('its turn comes when wave "canary" has passed its gate')
  expect(view.sinceMs).toBeGreaterThan(0)
})

test('a host that is staged ahead of its wave is told the same', () => {
  const world = awaiting({ downloads: { maxConcurrent: 50, prefetch: 'NextWave' } })
  const view = why(world, waiting(world))
  expect([view.reason, view.message]).toEqual(['Prefetched', expect.stringContaining('waits for approval')])
})

test('a pause is told since it was ordered', () => {
  const world = awaiting()
  dispatch(world, { kind: 'pause', rolloutId: 'edge.2', ...said })
  const { message, reason, sinceMs } = why(world, waiting(world))
  expect([reason, message, sinceMs]).toEqual(['RolloutPaused', 'paused by kim: "lunch"', world.wallMs])
})

test('a host that is done says when, and what begins next', () => {
  const view = why(rolledOut('1.0.0'), 'h0')
  expect(view).toMatchObject({
    reason: 'Progressing',
    phase: 'Succeeded',
    next: 'nothing, until git names another image',
  })
  expect(view.sinceMs).toBeGreaterThan(0)
})

test('what git does not let begin is told to hosts that are done with the rollout before', () => {
  const world = rolledOut('1.0.0')
  want(world, [fleetWith('2.0.0', { suspend: true })], 'c2')
  expect(why(world, 'h0')).toMatchObject({ reason: 'Suspended' })
  want(world, [fleetWith('1.0.0', { revision: 'another', suspend: true })], 'c3')
  expect(why(world, 'h0')).toMatchObject({ reason: 'Progressing' })
})

test('a denied digest is told since it was denied', () => {
  const world = rolledOut('1.0.0')
  dispatch(world, { kind: 'deny', fleet: 'edge', digest: imageOf('2.0.0').digest, ...said })
  const deniedAtMs = world.wallMs
  pass(world, 60_000)
  want(world, [fleetWith('2.0.0')], 'c2')
  settleAll(world)
  expect(why(world, 'h0')).toMatchObject({ reason: 'Denied', sinceMs: deniedAtMs })
})

test('a step of a rollout that was replaced is told since it was granted', () => {
  const world = rolledOut('1.0.0')
  want(world, [fleetWith('2.0.0')], 'c2')
  while (world.state.hosts.get('h0')?.grants.get('edge.2')?.phase !== 'Rebooting') {
    if (!step(world)) throw new Error('the host never reboots')
  }
  want(world, [fleetWith('3.0.0')], 'c3')
  expect(why(world, 'h0')).toMatchObject({
    reason: 'OldRolloutInFlight',
    sinceMs: world.state.hosts.get('h0')?.grants.get('edge.2')?.grantedAtMs,
  })
})

test('where nothing was ever granted or written down there is no time', () => {
  const world = newWorld()
  enrol(world, 'h0', imageOf('0.0.0').digest)
  expect(why(world, 'h0')).toMatchObject({ fleet: '', phase: 'Pending', reason: 'NoFleet', sinceMs: 0 })
  want(world, [fleetWith('1.0.0', { suspend: true })], 'c1')
  expect(why(world, 'h0')).toMatchObject({ fleet: 'edge', reason: 'Suspended', sinceMs: 0 })
  want(world, [fleetWith('1.0.0', { deny: [{ digest: imageOf('1.0.0').digest, reason: 'leaks' }] })], 'c2')
  restart(world)
  expect(why(world, 'h0').reason).toBe('Denied')
})

test('a host that proves an image that it already ran is promised no end that nobody set', () => {
  const world = newWorld()
  const agent = enrol(world, 'h0', imageOf('1.0.0').digest)
  const reportUnproven = (): void => {
    agent.phase = 'Verifying'
    dispatch(world, { kind: 'report', hostId: 'h0', report: reportOf(agent) })
  }
  reportUnproven()
  agent.phase = 'Idle'
  want(world, [fleetWith('1.0.0')], 'c1')
  while (world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
  reportUnproven()
  expect(why(world, 'h0').message).toMatch(/^verifying 1\.0\.0@sha256:[0-9a-f]{12}…$/)
})

test('a host that fell back from what is denied now is not told to retry, which is refused', () => {
  const world = rolledOut('1.0.0')
  const agent = world.agents.get('h0')
  if (agent === undefined) throw new Error('no host')
  agent.behaviour = 'bad'
  want(world, [fleetWith('2.0.0')], 'c2')
  settleAll(world)
  const { message, next, reason } = why(world, 'h0')
  expect([reason, message]).toEqual(['Ended', expect.stringMatching(/^rolled back: /)])
  expect(next).toContain('when git names another digest')
  expect(next).not.toContain('retry')
})
