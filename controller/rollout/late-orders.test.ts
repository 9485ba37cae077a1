import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import {
  fleetView,
  fleetWith,
  rolledOut,
  rolloutView,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, move, newWorld, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { Strategy } from '../desired-state/types.ts'
import type { RolloutVerb } from './events.ts'

const hourMs = 3_600_000
const canary = waveOf('canary', { kind: 'count', count: 1 })
const all = waveOf('rest', { kind: 'percent', percent: 100 })
const soaking = { ...canary, soakMs: hourMs }
const analysis = [
  { name: 'errors', provider: { kind: 'named', check: 'errors' }, intervalMs: 60_000, failureLimit: 0 },
] as const

function order(world: World, kind: RolloutVerb['kind'], rolloutId = 'edge.2', wave?: string): void {
  dispatch(world, {
    kind,
    rolloutId,
    actor: 'kim',
    reason: 'so said',
    ...(wave === undefined ? {} : { wave }),
  })
}

function begin(strategy: Partial<Strategy>, count = 2): World {
  const world = rolledOut('1.0.0', count)
  want(world, [fleetWith('2.0.0', { strategy: strategyWith(strategy) })], 'c2')
  return world
}

function begun(strategy: Partial<Strategy>, count = 2): World {
  const world = begin(strategy, count)
  settleAll(world)
  return world
}

/** The last wave is over, and that is durable, but stable has not moved yet. */
function over(): World {
  const world = begin({ waves: [all] }, 1)
  for (let moves = 0; moves < 50 && rolloutView(world).waves[0]?.state !== 'Succeeded'; moves += 1) {
    if (world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
    else for (const agent of world.agents.values()) move(world, agent)
  }
  expect(rolloutView(world)).toMatchObject({ state: 'Progressing', waves: [{ state: 'Succeeded' }] })
  return world
}

const verbs = (world: World) => rolloutView(world).log.map(({ verb }) => verb)
const states = (world: World) => rolloutView(world).waves.map(({ state }) => state)
const versions = (world: World) => [...world.agents.values()].map(({ digest }) => digest.slice(7, 8))

describe('an abort', () => {
  it('of a paused rollout keeps the wave that was done, and cancels the others', () => {
    const world = begun(
      { waves: [canary, { ...waveOf('some', { kind: 'count', count: 2 }), soakMs: hourMs }, all] },
      3,
    )
    order(world, 'pause')
    order(world, 'abort')
    settleAll(world)
    expect(rolloutView(world).state).toBe('Aborted')
    expect(states(world)).toEqual(['Succeeded', 'Cancelled', 'Cancelled'])
    expect(versions(world).toSorted()).toEqual(['1', '2', '2'])
  })

  it('of a rollout that ended changes nothing', () => {
    const world = rolledOut('1.0.0')
    order(world, 'abort', 'edge.1')
    settleAll(world)
    expect(rolloutView(world)).toMatchObject({ state: 'Succeeded', log: [] })
  })

  it('behind the last wave cancels no wave, and stable stays', () => {
    const world = over()
    order(world, 'abort')
    settleAll(world)
    expect(rolloutView(world).state).toBe('Aborted')
    expect(states(world)).toEqual(['Succeeded'])
    expect(world.store.fleets.get('edge')?.stable?.rolloutId).toBe('edge.1')
    expect(versions(world)).toEqual(['2'])
  })
})

describe('a rollback', () => {
  it('behind the last wave fails that wave', () => {
    const world = over()
    order(world, 'rollback')
    settleAll(world)
    expect(rolloutView(world).state).toBe('RolledBack')
    expect(rolloutView(world).waves).toMatchObject([
      { state: 'Failed', message: 'rolled back by kim: "so said"' },
    ])
    expect(versions(world)).toEqual(['1'])
  })

  it('of a rollout that succeeded changes nothing', () => {
    const world = begun({ waves: [all] })
    order(world, 'rollback')
    settleAll(world)
    expect(fleetView(world)).toMatchObject({ state: 'Synced', denied: [] })
    expect(verbs(world)).toEqual([])
    expect(versions(world)).toEqual(['2', '2'])
  })

  it('of the first rollout changes nothing, since there is nothing to go back to', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    want(world, [fleetWith('1.0.0', { strategy: strategyWith({ waves: [soaking, all] }) })], 'c1')
    settleAll(world)
    order(world, 'rollback', 'edge.1')
    settleAll(world)
    expect(fleetView(world)).toMatchObject({ state: 'Progressing', denied: [] })
    expect(verbs(world)).toEqual([])
  })
})

it('an approval behind the last wave, or of another wave than the one that waits, changes nothing', () => {
  const late = over()
  order(late, 'approve')
  settleAll(late)
  expect([rolloutView(late).state, verbs(late)]).toEqual(['Succeeded', []])
  const world = begun({ waves: [{ ...canary, approval: { approvers: 1, expiresAfterMs: hourMs } }, all] })
  order(world, 'approve', 'edge.2', 'rest')
  settleAll(world)
  expect(states(world)).toEqual(['AwaitingApproval', 'Pending'])
  expect(verbs(world)).toEqual([])
  order(world, 'approve', 'edge.2', 'canary')
  settleAll(world)
  expect(rolloutView(world).state).toBe('Succeeded')
})

describe('an order to promote what a person paused', () => {
  it('goes past the soak that the wave is at', () => {
    const world = begun({ waves: [soaking, all] })
    order(world, 'pause')
    order(world, 'promote')
    settleAll(world)
    expect(rolloutView(world).state).toBe('Succeeded')
    expect(rolloutView(world).waves[0]?.message).toBe('soaked 1h0m, promoted by kim: "so said"')
  })

  it('goes past the analysis that the wave is at', () => {
    const world = begun({ waves: [canary, { ...all, soakMs: hourMs }], analysis })
    expect(states(world)).toEqual(['Analysing', 'Pending'])
    order(world, 'pause')
    order(world, 'promote')
    settleAll(world)
    expect(states(world)).toEqual(['Succeeded', 'Soaking'])
    expect(rolloutView(world).waves[0]?.message).toBe('done, promoted by kim: "so said"')
  })

  it('only lifts the pause where hosts are still to come: none of them is left behind', () => {
    const world = begin({ waves: [all] })
    dispatch(world, { kind: 'timer' })
    order(world, 'pause')
    settleAll(world)
    expect(rolloutView(world)).toMatchObject({ pausedFor: 'User', waves: [{ state: 'Running' }] })
    order(world, 'promote')
    settleAll(world)
    expect(rolloutView(world)).toMatchObject({ state: 'Succeeded', waves: [{ gate: { promoted: null } }] })
    expect(versions(world)).toEqual(['2', '2'])
  })

  it('only lifts the pause where the wave waits for its window, which stays closed', () => {
    const times = { startMinute: 6 * 60, durationMs: 2 * hourMs, timeZone: 'UTC' }
    const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
    const window = { kind: 'Allow', days, ...times, actions: ['Download', 'Activate'] } as const
    const world = begun({ waves: [all], windows: [window] })
    order(world, 'pause')
    expect(rolloutView(world).pausedFor).toBe('User')
    order(world, 'promote')
    settleAll(world)
    expect(rolloutView(world)).toMatchObject({
      state: 'Progressing',
      waves: [{ state: 'WaitingWindow', gate: { promoted: null } }],
    })
    expect(versions(world)).toEqual(['1', '1'])
  })

  it('skips a wave that all its hosts left', () => {
    const world = begin({ waves: [all] }, 1)
    order(world, 'pause')
    expect(rolloutView(world).waves[0]?.state).toBe('Running')
    const elsewhere = { kind: 'match', labels: { site: 'oslo' }, expressions: [] } as const
    const strategy = strategyWith({ waves: [all] })
    want(world, [fleetWith('2.0.0', { selector: elsewhere, strategy })], 'c3')
    settleAll(world)
    expect(rolloutView(world)).toMatchObject({ pausedFor: 'User', waves: [{ state: 'Running' }] })
    order(world, 'promote')
    expect(rolloutView(world)).toMatchObject({
      state: 'Progressing',
      waves: [{ state: 'Skipped', message: 'skipped: no hosts' }],
    })
    settleAll(world)
    expect(verbs(world)).toEqual(['pause', 'promote'])
    expect(versions(world)).toEqual(['1'])
  })
})
