import { ControllerError } from './errors.ts'
import type { RolloutEngineState } from './rollout/state.ts'
import { describeFleets } from './rollout/fleet-views.ts'
import { describeRollouts } from './rollout/rollout-views.ts'

/**
 * Id of the rollout that an operator means: a rollout by its id, or the current one of a fleet by name.
 * @throws ControllerError NotFound.
 */
export function findRollout(state: RolloutEngineState, target: string): string {
  const now = { wallMs: Date.now(), elapsedMs: 0 }
  const fleet = describeFleets(state, now).find(({ name }) => name === target)
  const id =
    fleet?.rollout?.id ?? describeRollouts(state, null, now).find((rollout) => rollout.id === target)?.id
  if (id !== undefined) return id
  const found = fleet === undefined ? 'there is no such fleet or rollout' : 'the fleet has no rollout yet'
  throw new ControllerError('NotFound', `looking for ${JSON.stringify(target.slice(0, 300))}: ${found}`)
}
