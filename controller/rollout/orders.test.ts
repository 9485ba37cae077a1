import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import {
  fleetView,
  fleetWith,
  nowOf,
  phaseOf,
  rolledOut,
  rolloutView,
  say,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, move, newWorld, pass, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { Strategy } from '../desired-state/types.ts'
import { describeRollouts } from './engine.ts'
import type { RolloutVerb } from './events.ts'
import type { RolloutView } from './rollout-views.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const canary = waveOf('canary', { kind: 'count', count: 1 })
const all = waveOf('rest', { kind: 'percent', percent: 100 })
const pausing = strategyWith({ onFailure: { firstWave: 'Pause', later: 'Pause' } })

function order(world: World, kind: RolloutVerb['kind'], rolloutId: string, actor = 'kim'): void {
  dispatch(world, { kind, rolloutId, actor, reason: '' })
}

function retry(world: World, rolloutId: string): void {
  dispatch(world, { kind: 'retry', rolloutId, hostId: null, actor: 'kim', reason: '' })
}

function begun(strategy: Partial<Strategy>, count = 2): World {
  const world = rolledOut('1.0.0', count)
  want(world, [fleetWith('2.0.0', { strategy: strategyWith(strategy) })], 'c2')
  settleAll(world)
  return world
}

const view = (world: World, id: string): RolloutView | undefined =>
  describeRollouts(world.state, 'edge', nowOf(world)).find((rollout) => rollout.id === id)
const versions = (world: World): readonly string[] =>
  [...world.agents.values()].map(({ digest }) =>
    digest === imageOf('3.0.0').digest ? '3' : digest === imageOf('2.0.0').digest ? '2' : '1',
  )

describe('an order to try again', () => {
  function failed(): World {
    const world = rolledOut('1.0.0')
    world.broken.add(imageOf('2.0.0').digest)
    want(world, [fleetWith('2.0.0', { strategy: pausing })], 'c2')
    settleAll(world)
    expect(rolloutView(world).pausedFor).toBe('Failure')
    return world
  }

  it('changes nothing of a rollout that was replaced', () => {
    const world = failed()
    want(world, [fleetWith('3.0.0')], 'c3')
    settleAll(world)
    world.broken.clear()
    retry(world, 'edge.2')
    settleAll(world)
    expect(view(world, 'edge.2')).toMatchObject({ state: 'Superseded', log: [] })
    expect(world.state.hosts.get('h0')?.grants.get('edge.2')?.phase).toBe('RolledBack')
    expect(versions(world)).toEqual(['3'])
  })

  it('changes nothing while the digest is denied', () => {
    const world = failed()
    const { digest } = imageOf('2.0.0')
    dispatch(world, { kind: 'deny', fleet: 'edge', digest, actor: 'kim', reason: 'leaks' })
    world.broken.clear()
    retry(world, 'edge.2')
    settleAll(world)
    expect(rolloutView(world)).toMatchObject({ state: 'Paused', log: [] })
    expect(phaseOf(world, 'h0')).toBe('RolledBack')
  })

  it('goes on with a rollback that failed, and ends it', () => {
    const world = rolledOut('1.0.0', 2)
    want(world, [fleetWith('2.0.0', { strategy: strategyWith({ waves: [canary, all] }) })], 'c2')
    dispatch(world, { kind: 'timer' })
    const agents = [...world.agents.values()]
    const stubborn = agents.find(({ hostId }) => phaseOf(world, hostId) === 'Granted') as SimulatedAgent
    for (const agent of agents) if (agent !== stubborn) agent.behaviour = 'bad'
    stubborn.refuses.add(imageOf('1.0.0').digest)
    settleAll(world)
    expect(rolloutView(world).state).toBe('RollbackFailed')
    stubborn.refuses.clear()
    say(world, stubborn)
    retry(world, 'edge.2')
    expect(rolloutView(world).state).toBe('RollingBack')
    settleAll(world)
    expect(rolloutView(world).state).toBe('RolledBack')
    expect(versions(world)).toEqual(['1', '1'])
  })
})

describe('an order to go back', () => {
  it('names who gave it where no reason was given', () => {
    const world = begun({ waves: [{ ...canary, soakMs: hourMs }, all] })
    order(world, 'rollback', 'edge.2')
    settleAll(world)
    expect(rolloutView(world).message).toMatch(/^back on 1\.0\.0@\S+ rolled back by kim; 2\.0\.0@/)
    expect(versions(world)).toEqual(['1', '1'])
  })

  it('changes nothing of an aborted rollout after which there was another', () => {
    const world = begun({ waves: [{ ...canary, soakMs: hourMs }, all] })
    order(world, 'abort', 'edge.2')
    want(world, [fleetWith('3.0.0')], 'c3')
    settleAll(world)
    order(world, 'rollback', 'edge.2')
    settleAll(world)
    expect(fleetView(world)).toMatchObject({ state: 'Synced', denied: [] })
    expect(view(world, 'edge.2')?.state).toBe('Aborted')
    expect(versions(world)).toEqual(['3', '3'])
  })

  it('is what a denial without a reason is, and names who gave it', () => {
    const world = begun({ waves: [{ ...canary, soakMs: hourMs }, all] })
    const { digest } = imageOf('2.0.0')
    dispatch(world, { kind: 'deny', fleet: 'edge', digest, actor: 'kim', reason: '' })
    settleAll(world)
    expect(rolloutView(world).message).toMatch(/^back on 1\.0\.0@\S+ denied by kim; 2\.0\.0@/)
    expect(rolloutView(world).waves[0]?.message).toBe('denied by kim')
  })
})

it('an aborted rollout begins anew once, however often and for whomever that is ordered', () => {
  const world = begun({ waves: [{ ...canary, soakMs: hourMs }, all] })
  order(world, 'abort', 'edge.2')
  const again = { kind: 'retry', rolloutId: 'edge.2', actor: 'kim', reason: '' } as const
  dispatch(world, { ...again, hostId: 'h0' })
  settleAll(world)
  expect(rolloutView(world)).toMatchObject({ id: 'edge.2', state: 'Aborted', log: [{ verb: 'abort' }] })
  const halt = { fleet: 'edge', actor: 'kim', reason: '' }
  dispatch(world, { kind: 'halt', ...halt })
  retry(world, 'edge.2')
  retry(world, 'edge.2')
  dispatch(world, { kind: 'unhalt', ...halt })
  settleAll(world)
  expect(rolloutView(world)).toMatchObject({ id: 'edge.3', state: 'Progressing' })
  expect(view(world, 'edge.2')?.log.map(({ verb }) => verb)).toEqual(['abort', 'retry'])
})

it('a host that joins after a rollout was aborted gets stable', () => {
  const world = begun({ waves: [{ ...canary, soakMs: hourMs }, all] })
  order(world, 'abort', 'edge.2')
  world.wallMs += minuteMs
  const joiner = enrol(world, 'h9', imageOf('0.0.0').digest)
  settleAll(world)
  expect(joiner.digest).toBe(imageOf('1.0.0').digest)
  expect(versions(world).toSorted()).toEqual(['1', '1', '2'])
})

describe('an order to promote', () => {
  const asking = (approvers: number): World =>
    begun({ waves: [{ ...canary, approval: { approvers, expiresAfterMs: hourMs } }, all] })

  it('goes past an approval that nobody gave in time', () => {
    const world = asking(1)
    pass(world, hourMs)
    expect(rolloutView(world).pausedFor).toBe('Approval')
    order(world, 'promote', 'edge.2')
    settleAll(world)
    expect(rolloutView(world).state).toBe('Succeeded')
    expect(rolloutView(world).waves[0]?.message).toBe('done, promoted by kim')
  })

  it('by one person goes past no approval of two, whoever paused the rollout', () => {
    const world = asking(2)
    order(world, 'pause', 'edge.2')
    order(world, 'promote', 'edge.2')
    settleAll(world)
    expect(rolloutView(world).pausedFor).toBe('User')
    order(world, 'resume', 'edge.2')
    pass(world, hourMs)
    order(world, 'promote', 'edge.2')
    settleAll(world)
    expect(rolloutView(world).pausedFor).toBe('Approval')
    expect(versions(world).toSorted()).toEqual(['1', '2'])
  })

  it('opens no window', () => {
    const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
    const times = { startMinute: 6 * 60, durationMs: 2 * hourMs, timeZone: 'UTC' }
    const world = begun({
      waves: [all],
      windows: [{ kind: 'Allow', days, ...times, actions: ['Download', 'Activate'] }],
    })
    order(world, 'promote', 'edge.2')
    settleAll(world)
    expect(rolloutView(world)).toMatchObject({
      log: [],
      waves: [{ state: 'WaitingWindow', gate: { promoted: null } }],
    })
    expect(versions(world)).toEqual(['1', '1'])
  })

  it('forgives nothing that goes wrong after it: the wave waits, and pauses at its deadline', () => {
    const world = newWorld()
    const [well, late] = ['h0', 'h1'].map((id) => enrol(world, id, imageOf('0.0.0').digest)) as [
      SimulatedAgent,
      SimulatedAgent,
    ]
    const maxUnavailable = { kind: 'count', count: 2 } as const
    want(world, [fleetWith('2.0.0', { strategy: strategyWith({ waves: [all], maxUnavailable }) })], 'c1')
    settleAll(world, [well.hostId])
    while (late.phase !== 'Rebooting') move(world, late)
    order(world, 'promote', 'edge.1')
    say(world, well, { health: { verdict: 'Failed', failedChecks: [] } })
    settleAll(world, [late.hostId])
    expect(rolloutView(world)).toMatchObject({
      state: 'Progressing',
      waves: [{ state: 'Running', message: '2/2 done, waits for 1 no longer healthy on the image' }],
    })
    pass(world, 2 * hourMs)
    expect(rolloutView(world)).toMatchObject({
      pausedFor: 'Deadline',
      message: expect.stringContaining('with 0 reachable and 1 no longer healthy hosts left'),
    })
  })
})

it('a wave with a selector takes hosts with its labels, and no others', () => {
  const world = newWorld()
  for (const [id, ring] of Object.entries({ h0: 'lab', h1: 'shop', h2: 'lab', h3: 'shop' })) {
    enrol(world, id, imageOf('1.0.0').digest, { ring })
  }
  const selector = { kind: 'match', labels: { ring: 'lab' }, expressions: [] } as const
  const lab = { ...waveOf('lab', { kind: 'percent', percent: 100 }, hourMs), selector }
  want(world, [fleetWith('2.0.0', { strategy: strategyWith({ waves: [lab, all] }) })], 'c1')
  settleAll(world)
  expect(rolloutView(world).waves).toMatchObject([
    { name: 'lab', state: 'Soaking', hostsTotal: 2, hostsSucceeded: 2 },
    { name: 'rest', state: 'Pending', hostsTotal: 2 },
  ])
  expect(versions(world)).toEqual(['2', '1', '2', '1'])
})
