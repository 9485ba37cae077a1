import type { Engine } from './controller.ts'
import { operate, strike } from './happenings.ts'
import type { Scenario } from './scenario.ts'
import { later } from './world-model.ts'
import type { Watch, World } from './world-model.ts'
import { join, newWorld } from './world.ts'

/** A world in which everything of the scenario is going to happen; time stands at its beginning. */
export function startWorld(scenario: Scenario, engine: Engine, watch: Watch): World {
  const world = newWorld(scenario, engine, watch)
  for (const host of scenario.hosts) later(world, host.enrolledAtMs, () => join(world, host))
  for (const operation of scenario.operations) later(world, operation.atMs, () => operate(world, operation))
  for (const fault of scenario.faults) later(world, fault.atMs, () => strike(world, fault))
  return world
}
