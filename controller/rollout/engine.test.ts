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
  dispatch,
  enrol,
  move,
  newWorld,
  restart,
  settleAll,
  want,
} from '../../test/support/rollout-world.ts'
import { describeFleets, describeHosts, describeRollouts } from './engine.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'

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

  it('does not call a host healthy that has connected but not reported yet', () => {
    const world = rolledOut('1.0.0')
    const enrolment = { hostId: 'h1', name: 'h1', labels: {}, enrolledAtMs: world.wallMs }
    dispatch(world, { kind: 'enrolled', enrolment })
    dispatch(world, { kind: 'connection', hostId: 'h1', connected: true })
    expect(fleetView(world)).toMatchObject({ hostsTotal: 2, hostsHealthy: 1 })
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
      waves: [waveOf('canary', { kind: 'count', count: 1 })],
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

  it.each([
    [['h0'], 'its only host has never reported; is it on, and does it reach the controller?'],
    [['h0', 'h1'], 'none of its 2 hosts has ever reported; are they on, and do they reach the controller?'],
  ])('is pending while nobody of %s has reported', (names, message) => {
    const world = newWorld()
    for (const hostId of names) {
      const enrolment = { hostId, name: hostId, labels: {}, enrolledAtMs: world.wallMs }
      dispatch(world, { kind: 'enrolled', enrolment })
    }
    want(world, [fleetWith('1.0.0')], 'c1')
    expect(fleetView(world)).toMatchObject({ state: 'Pending', message, hostsTotal: names.length })
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

describe('a verb', () => {
  it('to resume changes nothing unless the rollout is paused', () => {
    const world = rolledOut('1.0.0')
    dispatch(world, { kind: 'resume', rolloutId: 'edge.1', actor: 'kim', reason: '' })
    expect(rolloutView(world).state).toBe('Succeeded')
  })
})

describe('a revision', () => {
  it('replaced in its last wave keeps what its earlier waves proved', () => {
    const world = newWorld()
    for (const id of ['h0', 'h1']) enrol(world, id, imageOf('0.0.0').digest)
    const waves = [waveOf('canary', { kind: 'count', count: 1 })]
    want(world, [fleetWith('1.0.0', { strategy: strategyWith({ waves }) })], 'c1')
    dispatch(world, { kind: 'timer' })
    const canary = phaseOf(world, 'h0') === 'Granted' ? 'h0' : 'h1'
    settleAll(world, [canary])
    want(world, [fleetWith('2.0.0')], 'c2')
    const former = describeRollouts(world.state, 'edge', nowOf(world))[1]
    expect(former?.waves.map(({ state }) => state)).toEqual(['Succeeded', 'Cancelled'])
  })

  it('without written waves is one wave, and names how many more failed', () => {
    const world = newWorld()
    for (const id of ['h0', 'h1']) enrol(world, id, imageOf('0.0.0').digest).behaviour = 'bad'
    const limit = { max: { kind: 'count', count: 1 }, minAttempted: 1 } as const
    const strategy = strategyWith({ waves: [], failureLimit: { firstWave: limit, later: limit } })
    want(world, [fleetWith('1.0.0', { strategy })], 'c1')
    settleAll(world)
    expect(rolloutView(world).message).toContain(
      'h0 failed health check web-up (exit status 1) and 1 more in wave "rest"',
    )
  })
})
