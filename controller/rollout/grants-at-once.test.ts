import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetView, fleetWith, phaseOf, strategyWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'

const all = { kind: 'percent', percent: 100 } as const

function worldOf(count: number, version: string, observe?: World['observe']): World {
  const world = newWorld(observe)
  for (let index = 0; index < count; index += 1) enrol(world, `h${index}`, imageOf(version).digest)
  return world
}

function timer(world: World): void {
  dispatch(world, { kind: 'timer' })
}

it('grants at most a thousand at once, and the others in the next call', () => {
  const granted: number[] = []
  const world = worldOf(
    1_001,
    '1.0.0',
    (_event, { writes }) => void granted.push(writes.filter(({ kind }) => kind === 'grant').length),
  )
  want(world, [fleetWith('1.0.0')], 'c1')
  settleOrders(world)
  expect(granted.filter((count) => count > 0)).toEqual([1_000, 1])
  expect(fleetView(world)).toMatchObject({ state: 'Synced', hostsUpdated: 1_001 })
})

it('lets at most a thousand activate in one call, and the others in the next', () => {
  const activated: number[] = []
  const world = worldOf(
    1_001,
    '0.0.0',
    (_event, { writes }) =>
      void activated.push(
        writes.filter((write) => write.kind === 'grant' && write.record.phase === 'Staged').length,
      ),
  )
  const none = { kind: 'count', count: 0 } as const
  const downloads = { maxConcurrent: 2_000, prefetch: 'None' } as const
  const strategy = (maxUnavailable: typeof all | typeof none) => strategyWith({ downloads, maxUnavailable })
  want(world, [fleetWith('1.0.0', { strategy: strategy(none) })], 'c1')
  settleOrders(world)
  settleAll(world)
  expect(phaseOf(world, 'h0')).toBe('AwaitingSlot')
  want(world, [fleetWith('1.0.0', { strategy: strategy(all) })], 'c2')
  settleOrders(world)
  expect(activated.filter((count) => count > 0)).toEqual([1_000, 1])
})

/** Whatever the engine does by itself at this instant; no host moves. */
function settleOrders(world: World): void {
  while (world.wakeInMs === 0) timer(world)
}
