import { describe, expect, it } from 'vitest'
import {
  fleetView,
  fleetWith,
  phaseOf,
  rolloutView,
  say,
  strategyWith,
  why,
} from '../../test/support/rollout-fleet.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import {
  connect,
  dispatch,
  enrol,
  move,
  newWorld,
  pass,
  restart,
  settleAll,
  silence,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'

const minuteMs = 60_000
const soaking = strategyWith({
  waves: [waveOf('all', { kind: 'percent', percent: 100 }, 10 * minuteMs)],
})
const none = { kind: 'count', count: 0 } as const

function worldOf(
  count: number,
  version = '0.0.0',
): { readonly world: World; readonly agents: readonly SimulatedAgent[] } {
  const world = newWorld()
  const agents = Array.from({ length: count }, (_, index) =>
    enrol(world, `h${index}`, imageOf(version).digest),
  )
  return { world, agents }
}

function first(agents: readonly SimulatedAgent[]): SimulatedAgent {
  return agents[0] as SimulatedAgent
}

describe('a gate', () => {
  it('starts the soak anew when a host is no longer healthy', () => {
    const { agents, world } = worldOf(1)
    want(world, [fleetWith('1.0.0', { strategy: soaking })], 'c1')
    pass(world, 9 * minuteMs)
    const unwell = { verdict: 'Failed', failedChecks: [] } as const
    say(world, first(agents), { health: unwell })
    expect(rolloutView(world).waves[0]?.state).toBe('Running')
    say(world, first(agents))
    pass(world, 9 * minuteMs)
    expect(rolloutView(world).waves[0]?.state).toBe('Soaking')
    pass(world, minuteMs)
    expect(rolloutView(world).state).toBe('Succeeded')
  })

  it('pauses at the deadline while a host that succeeded is not healthy', () => {
    const { agents, world } = worldOf(1)
    want(world, [fleetWith('1.0.0', { strategy: soaking })], 'c1')
    pass(world, minuteMs)
    say(world, first(agents), { health: { verdict: 'Failed', failedChecks: [] } })
    pass(world, 180 * minuteMs)
    expect(rolloutView(world).pausedFor).toBe('Deadline')
  })

  it('pauses at the deadline when reachable hosts could not be served', () => {
    const { world } = worldOf(2)
    want(world, [fleetWith('1.0.0', { strategy: strategyWith({ maxUnavailable: none }) })], 'c1')
    pass(world, 180 * minuteMs)
    expect(rolloutView(world).message).toContain('2 reachable')
    expect(why(world, 'h0')).toBe('RolloutPaused')
    dispatch(world, { kind: 'resume', rolloutId: 'edge.1', actor: 'kim', reason: '' })
    expect(rolloutView(world).state).toBe('Progressing')
  })

  it('leaves a staged host that fell silent to the keeper', () => {
    const { agents, world } = worldOf(3)
    want(world, [fleetWith('1.0.0')], 'c1')
    dispatch(world, { kind: 'timer' })
    for (let times = 0; times < 3; times += 1) for (const agent of agents) move(world, agent)
    const waiting = agents.filter((agent) => phaseOf(world, agent.hostId) === 'AwaitingSlot')
    for (const agent of waiting) silence(world, agent)
    pass(world, 180 * minuteMs)
    expect(rolloutView(world).state).toBe('Succeeded')
    expect(waiting.map((agent) => phaseOf(world, agent.hostId))).toEqual(['Skipped', 'Skipped'])
    for (const agent of waiting) {
      agent.behaviour = 'good'
      connect(world, agent)
    }
    settleAll(world)
    expect(fleetView(world).hostsUpdated).toBe(3)
  })

  it('waits past the deadline for a host that still holds a lease', () => {
    const { agents, world } = worldOf(1)
    const deadlines = { ...strategyWith().deadlines, waveMs: minuteMs }
    want(world, [fleetWith('1.0.0', { strategy: strategyWith({ deadlines }) })], 'c1')
    dispatch(world, { kind: 'timer' })
    world.wallMs += 2 * minuteMs
    dispatch(world, { kind: 'timer' })
    expect(rolloutView(world).state).toBe('Progressing')
    for (let times = 0; times < 3; times += 1) move(world, first(agents))
    expect(rolloutView(world).pausedFor).toBe('Deadline')
  })

  it('times out a host that never stages, and one that never activates', () => {
    const { agents, world } = worldOf(2)
    want(
      world,
      [fleetWith('1.0.0', { strategy: strategyWith({ onFailure: { firstWave: 'Pause', later: 'Pause' } }) })],
      'c1',
    )
    dispatch(world, { kind: 'timer' })
    for (let times = 0; times < 3; times += 1) move(world, first(agents))
    world.wallMs += 6 * minuteMs
    dispatch(world, { kind: 'timer' })
    expect(rolloutView(world).message).toContain('h0 did not activate in time')
    world.wallMs += 30 * minuteMs
    dispatch(world, { kind: 'timer' })
    expect(rolloutView(world).attention.map(({ message }) => message)).toContain(
      'timed out: did not stage the image in time',
    )
  })

  it('fails a wave in which none succeeded, although the limit tolerates it', () => {
    const { agents, world } = worldOf(1)
    const tolerant = { max: { kind: 'count', count: 5 }, minAttempted: 1 } as const
    first(agents).behaviour = 'bad'
    want(
      world,
      [
        fleetWith('1.0.0', {
          strategy: strategyWith({ failureLimit: { firstWave: tolerant, later: tolerant } }),
        }),
      ],
      'c1',
    )
    settleAll(world)
    expect(rolloutView(world).pausedFor).toBe('Failure')
  })

  it('tolerates failures until enough were attempted', () => {
    const { agents, world } = worldOf(3)
    const later = { max: none, minAttempted: 3 } as const
    first(agents).behaviour = 'bad'
    want(
      world,
      [fleetWith('1.0.0', { strategy: strategyWith({ failureLimit: { firstWave: later, later } }) })],
      'c1',
    )
    settleAll(world)
    expect(rolloutView(world).pausedFor).toBe('Failure')
    expect(rolloutView(world).waves[0]?.hostsFailed).toBe(1)
  })

  it('skips a wave of explicitly no hosts', () => {
    const { world } = worldOf(1)
    want(
      world,
      [
        fleetWith('1.0.0', {
          strategy: strategyWith({ waves: [waveOf('canary', none)] }),
        }),
      ],
      'c1',
    )
    expect(rolloutView(world).waves.map(({ state }) => state)).toEqual(['Skipped', 'Running'])
  })

  it('skips a wave whose hosts all left after they were granted', () => {
    const world = newWorld()
    const ids = ['h0', 'h1']
    for (const id of ids) enrol(world, id, imageOf('0.0.0').digest, { site: id })
    want(
      world,
      [
        fleetWith('1.0.0', {
          strategy: strategyWith({
            waves: [waveOf('canary', { kind: 'count', count: 1 })],
          }),
        }),
      ],
      'c1',
    )
    dispatch(world, { kind: 'timer' })
    const granted = ids.find((id) => phaseOf(world, id) === 'Granted') as string
    const expressions = [{ key: 'site', operator: 'NotIn', values: [granted] }] as const
    const selector = { kind: 'match', labels: {}, expressions } as const
    want(world, [fleetWith('1.0.0', { selector })], 'c2')
    expect(rolloutView(world).waves.map(({ state }) => state)).toEqual(['Skipped', 'Running'])
    expect(why(world, granted)).toBe('NoFleet')
    want(world, [fleetWith('1.0.0')], 'c3')
    settleAll(world)
    expect(fleetView(world).hostsUpdated).toBe(2)
  })

  it('ends a rollback without silent hosts at the deadline, and says when one could not go back', () => {
    const { agents, world } = worldOf(3, '1.0.0')
    const waves = [waveOf('canary', { kind: 'count', count: 2 })]
    const strategy = strategyWith({ waves })
    want(world, [fleetWith('1.0.0', { strategy })], 'c1')
    settleAll(world)
    want(world, [fleetWith('2.0.0', { strategy })], 'c2')
    dispatch(world, { kind: 'timer' })
    const canaries = agents.filter((agent) => phaseOf(world, agent.hostId) === 'Granted')
    settleAll(
      world,
      canaries.map((agent) => agent.hostId),
    )
    for (const agent of agents) if (!canaries.includes(agent)) agent.behaviour = 'bad'
    const [silent, stubborn] = canaries as [SimulatedAgent, SimulatedAgent]
    silence(world, silent)
    stubborn.refuses.add(imageOf('1.0.0').digest)
    say(world, stubborn)
    settleAll(world)
    expect(fleetView(world).message).toContain('going back')
    restart(world)
    pass(world, 180 * minuteMs)
    expect(rolloutView(world).state).toBe('RollbackFailed')
    expect(fleetView(world).state).toBe('Failed')
    silent.behaviour = 'good'
    connect(world, silent)
    settleAll(world)
    expect(silent.digest).toBe(imageOf('1.0.0').digest)
  })
})
