import { expect, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import { fleetView, fleetWith, nowOf, rolloutView, say, why } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { describeRollouts } from './engine.ts'

const said = { actor: 'kim', reason: '' }

/** More than are planned, or looked at, in one part. */
const many = 2_100

function largeFleet(): World {
  const world = newWorld()
  for (let index = 0; index < many; index += 1) enrol(world, `h${index}`, imageOf('0.0.0').digest)
  want(world, [fleetWith('1.0.0')], 'c1')
  return world
}

/** What is left to do at this instant; hosts do not move. */
function goOn(world: World, isEnough = (): boolean => false): void {
  while (world.wakeInMs === 0 && !isEnough()) dispatch(world, { kind: 'timer' })
}

test('a fleet of thousands is planned in parts, and a halt that comes meanwhile holds', () => {
  const world = largeFleet()
  const isPlanned = (): boolean => world.state.jobs[0]?.concerns.kind === 'fleet'
  goOn(world, isPlanned)
  expect(isPlanned()).toBe(true)
  dispatch(world, { kind: 'halt', fleet: 'edge', ...said })
  goOn(world)
  expect(fleetView(world).state).toBe('Halted')
  expect(describeRollouts(world.state, 'edge', nowOf(world))).toEqual([])
  dispatch(world, { kind: 'unhalt', fleet: 'edge', ...said })
  goOn(world)
  expect(rolloutView(world)).toMatchObject({
    id: 'edge.1',
    waves: [{ state: 'Running', hostsTotal: many, hostsInProgress: 50 }],
  })
})

test('a promotion while hosts are counted skips no wave as if it had none', () => {
  const world = largeFleet()
  goOn(world, () => world.state.rollouts.has('edge.1'))
  expect(world.state.jobs).not.toEqual([])
  dispatch(world, { kind: 'promote', rolloutId: 'edge.1', ...said })
  goOn(world)
  expect(rolloutView(world)).toMatchObject({
    state: 'Progressing',
    log: [],
    waves: [{ state: 'Running', hostsTotal: many, gate: { promoted: null } }],
  })
})

test('a report that comes while hosts are taken from a fleet that git dropped grants nothing', () => {
  const world = largeFleet()
  goOn(world)
  want(world, [], 'c2')
  const waiting = (): SimulatedAgent | undefined =>
    [...world.agents.values()].findLast(({ plan }) => plan === null)
  const agent = waiting() as SimulatedAgent
  say(world, agent, { bootId: 'another' })
  goOn(world)
  expect(world.state.hosts.get(agent.hostId)?.grants.size).toBe(0)
  expect(agent.plan).toBeNull()
  expect(['NoFleet', 'FleetNotWanted']).toContain(why(world, agent.hostId))
})
