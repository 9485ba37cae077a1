import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import { fleetWith, phaseOf, strategyWith } from '../../test/support/rollout-fleet.ts'
import {
  connect,
  enrol,
  fallIll,
  newWorld,
  settleAll,
  silence,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'

const silent = (world: World): SimulatedAgent => world.agents.get('h2') as SimulatedAgent

/** One site of three: one is broken, one sound, and `h2` silent. */
function siteWith(mayBeDown: number, brokenId: string): World {
  const world = newWorld()
  for (const id of ['h0', 'h1', 'h2']) enrol(world, id, imageOf('0.0.0').digest, { site: 'oslo' })
  silence(world, silent(world))
  fallIll(world, world.agents.get(brokenId) as SimulatedAgent)
  const strategy = strategyWith({
    waves: [waveOf('all', { kind: 'percent', percent: 100 })],
    maxUnavailable: { kind: 'count', count: 3 },
    budgets: [{ topologyKey: 'site', maxUnavailable: { kind: 'count', count: mayBeDown } }],
  })
  want(world, [fleetWith('1.0.0', { strategy })], 'c1')
  settleAll(world)
  return world
}

const phases = (world: World) => ['h0', 'h1', 'h2'].map((id) => phaseOf(world, id))

it('a broken host goes where its site has no room for a sound one, whichever of them is staged first', () => {
  for (const [brokenId, expected] of [
    ['h0', ['Succeeded', 'AwaitingSlot', 'Pending']],
    ['h1', ['AwaitingSlot', 'Succeeded', 'Pending']],
  ] as const) {
    const world = siteWith(1, brokenId)
    expect(phases(world)).toEqual(expected)
    silent(world).behaviour = 'good'
    connect(world, silent(world))
    settleAll(world)
    expect(phases(world)).toEqual(['Succeeded', 'Succeeded', 'Succeeded'])
  }
})

it('a broken host waits like a sound one where its site may have nothing down', () => {
  expect(phases(siteWith(0, 'h0'))).toEqual(['AwaitingSlot', 'AwaitingSlot', 'Pending'])
})
