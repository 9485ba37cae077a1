import { describe, expect, it } from 'vitest'
import { imageOf, reportOf } from '../../test/support/rollout-agent.ts'
import { fleetView, fleetWith, strategyWith, nowOf, rolledOut } from '../../test/support/rollout-fleet.ts'
import {
  dispatch,
  enrol,
  newWorld,
  recordsOf,
  restart,
  settleAll,
  want,
} from '../../test/support/rollout-world.ts'
import { apply, describeFleets, describeHosts, describeRollouts, open } from './engine.ts'

describe('opening', () => {
  it('publishes nothing for a host that was never granted anything, and goes on with a step under way', () => {
    const world = newWorld()
    for (const id of ['h0', 'h1']) enrol(world, id, imageOf('0.0.0').digest)
    const waves = [{ name: 'canary', upTo: { kind: 'count', count: 1 }, soakMs: 0 }] as const
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
    const opened = open({ fleets, rollouts, grants, hosts, enrolments }, nowOf(world))
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
