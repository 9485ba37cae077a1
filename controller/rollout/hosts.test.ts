import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import {
  fleetView,
  fleetWith,
  nowOf,
  phaseOf,
  rolledOut,
  rolloutView,
  say,
  strategyWith,
  why,
} from '../../test/support/rollout-fleet.ts'
import {
  connect,
  dispatch,
  enrol,
  move,
  newWorld,
  pass,
  settleAll,
  silence,
  want,
} from '../../test/support/rollout-world.ts'
import { describeHosts, explain, renderReason } from './engine.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { GrantRecord } from './records.ts'

const minuteMs = 60_000

describe('a host', () => {
  it('says that its fleet is suspended before the first rollout', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    want(world, [fleetWith('1.0.0', { suspend: true })], 'c1')
    expect(why(world, 'h0')).toBe('Suspended')
  })

  it('of another fleet is not touched by a rollout, whatever it boots', () => {
    const world = newWorld()
    const of = (site: string) => ({ kind: 'match', labels: { site }, expressions: [] }) as const
    const other = enrol(world, 'h0', imageOf('0.0.0').digest, { site: 'us' })
    say(world, other, { bootedDigest: null, bootedManifestDigest: null })
    enrol(world, 'h1', imageOf('0.0.0').digest, { site: 'eu' })
    want(world, [fleetWith('1.0.0', { selector: of('eu') })], 'c1')
    settleAll(world)
    expect(other.plan).toBe(null)
    expect(describeHosts(world.state, null, nowOf(world))[0]).toMatchObject({ bootedDigest: '', fleet: '' })
  })

  it('is rejected when the image has no manifest for it', () => {
    const world = newWorld()
    const agent = enrol(world, 'h0', imageOf('0.0.0').digest)
    enrol(world, 'h1', imageOf('0.0.0').digest)
    say(world, agent, { architecture: 'riscv64' })
    want(world, [fleetWith('1.0.0', { suspend: true })], 'c1')
    want(
      world,
      [fleetWith('1.0.0', { strategy: strategyWith({ onFailure: { firstWave: 'Pause', later: 'Pause' } }) })],
      'c2',
    )
    expect(why(world, 'h0')).toBe('NoManifestForArchitecture')
    expect(why(world, 'h1')).toBe('Progressing')
    settleAll(world, ['h1'])
    expect(phaseOf(world, 'h0')).toBe('Rejected')
    expect(rolloutView(world).message).toContain('h0 the image has no manifest for riscv64')
  })

  it('that refuses the digest fails once without being touched', () => {
    const world = newWorld()
    const agent = enrol(world, 'h0', imageOf('0.0.0').digest)
    agent.refuses.add(imageOf('1.0.0').manifests['amd64'] as string)
    say(world, agent)
    want(world, [fleetWith('1.0.0')], 'c1')
    settleAll(world)
    expect(phaseOf(world, 'h0')).toBe('Failed')
    expect(agent.plan).toMatchObject({ stageUntilMs: null, activateUntilMs: null })
  })

  it('that drifts is brought back by the keeper, one that failed is not tried again', () => {
    const world = rolledOut('1.0.0')
    const agent = world.agents.get('h0')
    if (agent === undefined) return
    agent.digest = imageOf('0.0.0').digest
    agent.boots += 1
    say(world, agent)
    settleAll(world)
    expect(agent.digest).toBe(imageOf('1.0.0').digest)
    agent.digest = imageOf('0.0.0').digest
    agent.boots += 1
    agent.behaviour = 'bad'
    say(world, agent)
    settleAll(world)
    expect(phaseOf(world, 'h0')).toBe('RolledBack')
    expect(rolloutView(world)).toMatchObject({ state: 'Succeeded' })
    expect(rolloutView(world).message).toContain('1 host is behind')
  })

  it('waits for its own end under the fleet that it left', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest, { site: 'eu' })
    const of = (site: string) => ({ kind: 'match', labels: { site }, expressions: [] }) as const
    want(
      world,
      [fleetWith('1.0.0', { selector: of('eu') }), fleetWith('2.0.0', { name: 'next', selector: of('us') })],
      'c1',
    )
    dispatch(world, { kind: 'timer' })
    const agent = world.agents.get('h0')
    for (let times = 0; times < 4; times += 1) if (agent) move(world, agent)
    want(
      world,
      [fleetWith('1.0.0', { selector: of('us') }), fleetWith('2.0.0', { name: 'next', selector: of('eu') })],
      'c2',
    )
    dispatch(world, { kind: 'timer' })
    expect(why(world, 'h0')).toBe('OldRolloutInFlight')
    settleAll(world)
    expect(agent?.digest).toBe(imageOf('2.0.0').digest)
    expect(rolloutView(world).waves[0]).toMatchObject({ hostsTotal: 1, hostsSucceeded: 1 })
  })

  it('that follows its new fleet is done with the step for the fleet that it left, whose end nobody heard', () => {
    const world = newWorld()
    const agent = enrol(world, 'h0', imageOf('0.0.0').digest, { site: 'eu' })
    const of = (site: string) => ({ kind: 'match', labels: { site }, expressions: [] }) as const
    const fleets = (edge: string, next: string) => [
      fleetWith('1.0.0', { selector: of(edge) }),
      fleetWith('2.0.0', { name: 'next', selector: of(next) }),
    ]
    want(world, fleets('eu', 'us'), 'c1')
    dispatch(world, { kind: 'timer' })
    for (let times = 0; times < 3; times += 1) move(world, agent)
    // It begins to activate, and nobody hears that before git moves it.
    agent.phase = 'Activating'
    world.wallMs += minuteMs
    want(world, fleets('us', 'eu'), 'c2')
    while (world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
    const grants = () => [...(world.state.hosts.get('h0')?.grants.values() ?? [])]
    expect(grants()).toMatchObject([{ rolloutId: 'edge.1', phase: 'Removed' }, { phase: 'Granted' }])
    move(world, agent)
    expect(grants()[0]).toMatchObject({ phase: 'Rebooting' })
    const { attempt, generation, rolloutId: rollout } = grants()[1] as GrantRecord
    const plan = { rollout, generation, attempt, term: 1, counter: 2 }
    say(world, agent, { plan, phase: 'Downloading', bootId: 'h0-boot-2' })
    expect(grants()).toMatchObject([
      { phase: 'Superseded', message: 'took a newer plan without a last word on this one' },
      { phase: 'Downloading' },
    ])
  })

  it('that never was enrolled is counted nowhere, and one that never reported is said to be unreachable', () => {
    const world = rolledOut('1.0.0')
    dispatch(world, { kind: 'connection', hostId: 'stranger', connected: true })
    want(world, [fleetWith('1.0.0')], 'c2')
    const enrolment = { hostId: 'mute', name: 'mute', labels: {}, enrolledAtMs: world.wallMs }
    dispatch(world, { kind: 'enrolled', enrolment })
    dispatch(world, { kind: 'connection', hostId: 'mute', connected: true })
    expect(fleetView(world).hostsTotal).toBe(2)
    expect(describeHosts(world.state, 'edge', nowOf(world))).toMatchObject([
      { name: 'h0', health: 'Passed' },
      { name: 'mute', health: 'Unknown', bootedVersion: '' },
    ])
    expect(explain(world.state, 'mute', nowOf(world))).toEqual({ kind: 'Unreachable' })
  })

  it('waits in the tail for the first success of its fleet', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    want(world, [fleetWith('1.0.0')], 'c1')
    world.wallMs += minuteMs
    const joiner = enrol(world, 'h1', imageOf('0.0.0').digest)
    const reason = explain(world.state, 'h1', nowOf(world))
    expect(reason).toEqual({ kind: 'WaitsForWave', wave: 'all' })
    expect(reason.kind === 'WaitsForWave' && renderReason(reason)).toBe('waits for wave "all"')
    settleAll(world)
    expect(joiner.digest).toBe(imageOf('1.0.0').digest)
  })

  it('that failed to take stable as a joiner is left alone', () => {
    const world = rolledOut('1.0.0')
    const soak = strategyWith({
      waves: [waveOf('all', { kind: 'percent', percent: 100 }, 60 * minuteMs)],
    })
    want(world, [fleetWith('2.0.0', { strategy: soak })], 'c2')
    settleAll(world)
    world.wallMs += minuteMs
    const joiner = enrol(world, 'h1', imageOf('0.0.0').digest)
    joiner.behaviour = 'bad'
    settleAll(world)
    expect(phaseOf(world, 'h1')).toBe('RolledBack')
    expect(joiner.plan?.image.version).toBe('1.0.0')
    silence(world, joiner)
    const late = enrol(world, 'h2', imageOf('1.0.0').digest)
    late.behaviour = 'good'
    expect(explain(world.state, 'h2', nowOf(world))).toMatchObject({
      kind: 'Progressing',
      phase: 'Succeeded',
    })
    connect(world, late)
    pass(world, 120 * minuteMs)
    expect(late.digest).toBe(imageOf('2.0.0').digest)
  })
})
