import { describe, expect, it } from 'vitest'
import { imageOf, reportOf } from '../../test/support/rollout-agent.ts'
import {
  fleetView,
  fleetWith,
  nowOf,
  phaseOf,
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
  restart,
  settleAll,
  silence,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import {
  apply,
  describeFleets,
  describeHosts,
  describeRollouts,
  explain,
  open,
  renderReason,
} from './engine.ts'

const minuteMs = 60_000

function rolledOut(version: string, count = 1): World {
  const world = newWorld()
  for (let index = 0; index < count; index += 1) enrol(world, `h${index}`, imageOf('0.0.0').digest)
  want(world, [fleetWith(version)], 'c1')
  settleAll(world)
  return world
}

describe('a fleet', () => {
  it('is pending without hosts, and begins when the first joins', () => {
    const world = newWorld()
    want(world, [fleetWith('1.0.0'), fleetWith('1.0.0', { name: 'attic' })], 'c1')
    expect(describeFleets(world.state, nowOf(world)).map(({ message, name }) => [name, message])).toEqual([
      ['attic', 'no host matches its selector'],
      ['edge', 'no host matches its selector'],
    ])
    want(world, [fleetWith('1.0.0')], 'c2')
    enrol(world, 'h0', imageOf('0.0.0').digest)
    settleAll(world)
    expect(fleetView(world)).toMatchObject({ state: 'Synced', hostsTotal: 1, hostsUpdated: 1 })
  })

  it('is pending until the source was read after a start', () => {
    const world = rolledOut('1.0.0')
    world.wanted = null
    restart(world)
    expect(fleetView(world)).toMatchObject({ state: 'Pending', message: 'the source has not been read yet' })
    expect(why(world, 'h0')).toBe('FleetNotWanted')
  })

  it('holds a host that two fleets select, and one that none selects', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    const lab = { kind: 'match', labels: { ring: 'lab' }, expressions: [] } as const
    want(world, [fleetWith('1.0.0'), fleetWith('1.0.0', { name: 'other' })], 'c1')
    expect(why(world, 'h0')).toBe('MultipleOwners')
    expect(describeHosts(world.state, null, nowOf(world))[0]?.conditions).toEqual(['MultipleOwners'])
    want(world, [fleetWith('1.0.0', { selector: lab })], 'c2')
    expect(why(world, 'h0')).toBe('NoFleet')
    expect(why(world, 'nobody')).toBe('NoFleet')
    expect(describeHosts(world.state, null, nowOf(world))[0]?.conditions).toEqual(['NoFleet'])
  })

  it('holds where it is while git names a digest that it denied before, also under another revision', () => {
    const world = rolledOut('1.0.0', 2)
    world.broken.add(imageOf('2.0.0').digest)
    want(world, [fleetWith('2.0.0')], 'c2')
    settleAll(world)
    want(world, [fleetWith('2.0.0', { revision: 'rev-2.0.0-again' })], 'c3')
    settleAll(world)
    expect(fleetView(world)).toMatchObject({ state: 'Held' })
    expect(fleetView(world).message).toMatch(
      /h\d failed health check web-up .*2\.0\.0@sha256:.* is denied; git must name another digest/,
    )
  })

  it('holds a running rollout while git names a denied digest', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    enrol(world, 'h1', imageOf('0.0.0').digest)
    world.broken.add(imageOf('1.0.0').digest)
    want(world, [fleetWith('1.0.0')], 'c1')
    settleAll(world)
    expect(why(world, 'h1')).toBe('Ended')
    want(world, [fleetWith('2.0.0')], 'c2')
    want(world, [fleetWith('1.0.0')], 'c3')
    expect(fleetView(world).state).toBe('Held')
    expect(why(world, 'h1')).toBe('Denied')
    dispatch(world, { kind: 'resume', rolloutId: 'nothing', actor: 'kim', reason: '' })
    want(world, [fleetWith('1.0.0', { suspend: true })], 'c4')
    expect(why(world, 'h1')).toBe('Suspended')
  })

  it('does not deny the digest that is stable when only its checks changed', () => {
    const world = rolledOut('1.0.0')
    for (const agent of world.agents.values())
      say(world, agent, { health: { verdict: 'Failed', failedChecks: [] } })
    want(world, [fleetWith('1.0.0', { revision: 'rev-checks' })], 'c2')
    dispatch(world, { kind: 'timer' })
    for (const agent of world.agents.values()) say(world, agent, { phase: 'Failed' })
    expect(fleetView(world)).toMatchObject({ state: 'Paused', denied: [] })
  })

  it('is going back, and then back, when git returns to stable during a rollback', () => {
    const world = newWorld()
    for (const id of ['h0', 'h1']) enrol(world, id, imageOf('1.0.0').digest)
    const strategy = strategyWith({
      waves: [{ name: 'canary', upTo: { kind: 'count', count: 1 }, soakMs: 0 }],
    })
    want(world, [fleetWith('1.0.0', { strategy })], 'c1')
    settleAll(world)
    want(world, [fleetWith('2.0.0', { strategy })], 'c2')
    dispatch(world, { kind: 'timer' })
    const canary = phaseOf(world, 'h0') === 'Granted' ? 'h0' : 'h1'
    settleAll(world, [canary])
    for (const agent of world.agents.values()) if (agent.hostId !== canary) agent.behaviour = 'bad'
    settleAll(world, [canary === 'h0' ? 'h1' : 'h0'])
    want(world, [fleetWith('1.0.0', { strategy })], 'c3')
    expect(fleetView(world)).toMatchObject({ state: 'Progressing' })
    settleAll(world)
    expect(fleetView(world)).toMatchObject({ state: 'Synced', hostsUpdated: 2 })
  })

  it('is pending when its hosts are gone in the middle of a rollout', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    want(world, [fleetWith('1.0.0')], 'c1')
    const lab = { kind: 'match', labels: { ring: 'lab' }, expressions: [] } as const
    want(world, [fleetWith('1.0.0', { selector: lab })], 'c2')
    expect(fleetView(world)).toMatchObject({ state: 'Pending', message: 'no host matches its selector' })
    want(world, [fleetWith('2.0.0', { selector: lab })], 'c3')
    expect(fleetView(world)).toMatchObject({ state: 'Pending', message: 'no host matches its selector' })
  })
})

describe('a fleet after a crash', () => {
  it('goes on with a rollback of which only the denial was durable', () => {
    const world = rolledOut('1.0.0', 2)
    world.broken.add(imageOf('2.0.0').digest)
    want(world, [fleetWith('2.0.0')], 'c2')
    dispatch(world, { kind: 'timer' })
    while (![...world.agents.values()].some(({ phase }) => phase === 'RollingBack')) {
      for (const agent of world.agents.values()) move(world, agent)
    }
    world.crashAfterWrites = 1
    settleAll(world)
    expect(world.crashAfterWrites).toBe(null)
    expect(fleetView(world)).toMatchObject({ state: 'RolledBack' })
    expect(fleetView(world).denied).toHaveLength(1)
  })
})

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
      waves: [{ name: 'all', upTo: { kind: 'percent', percent: 100 }, soakMs: 60 * minuteMs }],
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

describe('opening', () => {
  it('finishes what a report that was stored before a crash had proven', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    want(world, [fleetWith('1.0.0')], 'c1')
    dispatch(world, { kind: 'timer' })
    world.crashAfterWrites = 1
    settleAll(world)
    expect(fleetView(world).state).toBe('Synced')
  })

  it('bears records whose neighbours were lost', () => {
    const world = rolledOut('1.0.0')
    world.store.rollouts.clear()
    world.store.enrolments.clear()
    world.store.hosts.clear()
    restart(world)
    expect(describeRollouts(world.state, null, nowOf(world)).length).toBe(0)
    expect(describeHosts(world.state, null, nowOf(world))).toEqual([])
    const grants = [...world.store.grants.values()]
    const orphan = open({ fleets: [], rollouts: [], grants, hosts: [], enrolments: [] }, nowOf(world))
    expect(orphan.decision.publishes).toEqual([])
    const fleets = [...world.store.fleets.values()]
    const forgotten = open({ fleets, rollouts: [], grants: [], hosts: [], enrolments: [] }, nowOf(world))
    expect(describeFleets(forgotten.state, nowOf(world))[0]).toMatchObject({ revision: '', commit: '' })
    expect(apply(forgotten.state, { kind: 'timer' }, nowOf(world)).decision.writes).toEqual([])
  })

  it('publishes for a host whose report was lost by what git named', () => {
    const world = rolledOut('1.0.0')
    const { fleets, grants, rollouts } = world.store
    const records = {
      fleets: [...fleets.values()],
      grants: [...grants.values()],
      rollouts: [...rollouts.values()],
    }
    const opened = open({ ...records, hosts: [], enrolments: [] }, nowOf(world))
    expect(opened.decision.publishes[0]?.image.manifestDigest).toBe(imageOf('1.0.0').digest)
    expect(describeRollouts(opened.state, null, nowOf(world))[0]?.attention).toEqual([])
    const agent = world.agents.get('h0')
    if (agent !== undefined) expect(reportOf(agent).phase).toBe('Healthy')
  })

  it('shows a bounded history', () => {
    const world = rolledOut('1.0.0')
    for (let index = 0; index < 25; index += 1) {
      want(world, [fleetWith(`${index}.5.0`)], `c${index}`)
      settleAll(world)
    }
    expect(describeRollouts(world.state, 'edge', nowOf(world)).map(({ generation }) => generation)).toEqual(
      Array.from({ length: 20 }, (_, index) => 26 - index),
    )
  })
})
