import { expect, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, restart, settleAll, want } from '../../test/support/rollout-world.ts'

test('what hosts are held to is in their plans, also in those of a leader that has not read git yet', () => {
  const told: string[] = []
  const world = newWorld((_event, { publishes }) => told.push(...publishes.map(({ lint }) => lint)))
  enrol(world, 'h0', imageOf('0.0.0').digest)
  want(world, [fleetWith('1.0.0', { lint: 'Enforce' })], 'c1')
  while (told.length === 0 && world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
  world.wanted = null
  const before = told.length
  restart(world)
  settleAll(world)
  expect(told.length).toBeGreaterThan(before)
  expect(new Set(told)).toEqual(new Set(['Enforce']))
})
