import { describe, expect, it } from 'vitest'
import { imageOf, reportOf } from '../../test/support/rollout-agent.ts'
import {
  fleetView,
  fleetWith,
  nowOf,
  rolledOut,
  say,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import {
  dispatch,
  enrol,
  newWorld,
  pass,
  restart,
  settleAll,
  want,
} from '../../test/support/rollout-world.ts'
import { recordsOf } from '../../cli/simulator/store.ts'
import { apply, describeFleets, describeHosts, describeRollouts, explain, open } from './engine.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'

describe('opening', () => {
  it('publishes nothing for a host that was never granted anything, and goes on with a step under way', () => {
    const world = newWorld()
    for (const id of ['h0', 'h1']) enrol(world, id, imageOf('0.0.0').digest)
    const waves = [waveOf('canary', { kind: 'count', count: 1 })]
    want(world, [fleetWith('1.0.0', { strategy: strategyWith({ waves }) })], 'c1')
    dispatch(world, { kind: 'timer' })
    const opened = open(recordsOf(world.store), nowOf(world))
    expect(opened.decision.publishes).toHaveLength(1)
    expect(opened.decision.publishes[0]?.stageUntilMs).toBeGreaterThan(world.wallMs)
  })

  it('publishes the newest plan of hosts that ended several rollouts', () => {
    const world = rolledOut('1.0.0')
    want(world, [fleetWith('2.0.0')], 'c2')
    settleAll(world)
    const { enrolments, fleets, grants, hosts, rollouts } = recordsOf(world.store)
    const opened = open({ fleets, rollouts, grants, hosts, enrolments, everyFleet: null }, nowOf(world))
    expect(opened.decision.publishes).toMatchObject([{ rollout: 'edge.2', image: { version: '2.0.0' } }])
  })

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
    const orphan = open(
      { fleets: [], rollouts: [], grants, hosts: [], enrolments: [], everyFleet: null },
      nowOf(world),
    )
    expect(orphan.decision.publishes).toEqual([])
    const fleets = [...world.store.fleets.values()]
    const forgotten = open(
      { fleets, rollouts: [], grants: [], hosts: [], enrolments: [], everyFleet: null },
      nowOf(world),
    )
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
    const opened = open({ ...records, hosts: [], enrolments: [], everyFleet: null }, nowOf(world))
    expect(opened.decision.publishes[0]?.image.manifestDigest).toBe(imageOf('1.0.0').digest)
    expect(describeRollouts(opened.state, null, nowOf(world))[0]?.attention).toEqual([])
    const agent = world.agents.get('h0')
    if (agent !== undefined) expect(reportOf(agent).phase).toBe('Healthy')
  })

  it('knows of no stable image after the store was lost where all hosts run what git names', () => {
    const world = newWorld()
    const agent = enrol(world, 'h0', imageOf('2.0.0').digest)
    const plan = { rollout: 'edge.7', generation: 7, attempt: 1, term: 1, counter: 1 }
    say(world, agent, { plan, phase: 'Healthy' })
    want(world, [fleetWith('2.0.0', { suspend: true })], 'c1')
    expect(explain(world.state, 'h0', nowOf(world)).kind).toBe('Suspended')
    pass(world, 120_000)
    expect(world.state.lost.size).toBe(0)
    expect(world.store.fleets.get('edge')?.stable).toBeNull()
  })

  it('shows a bounded history', () => {
    const world = rolledOut('1.0.0')
    for (let index = 0; index < 25; index += 1) {
      want(world, [fleetWith(`${index + 1}.5.0`)], `c${index}`)
      settleAll(world)
    }
    expect(describeRollouts(world.state, 'edge', nowOf(world)).map(({ generation }) => generation)).toEqual(
      Array.from({ length: 20 }, (_, index) => 26 - index),
    )
  })
})
