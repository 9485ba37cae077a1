import { ControllerError } from './errors.ts'
import type { RolloutEngineState } from './rollout/state.ts'
import { describeFleets } from './rollout/fleet-views.ts'
import { describeRollouts } from './rollout/rollout-views.ts'
import { shortDigest } from './rollout/sentences.ts'

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

/**
 * A verb that could not change anything is refused, so that nobody walks away from a rollout that they believe
 * they stopped.
 * @throws ControllerError RequestInvalid.
 */
export function requireEffect(
  state: RolloutEngineState,
  verb: { readonly kind: 'pause' | 'resume'; readonly rolloutId: string },
): void {
  const rollout = state.rollouts.get(verb.rolloutId)?.record
  if (rollout === undefined) return
  const { kind } = rollout.state
  const refuse = (verbing: string, found: string): never => {
    throw new ControllerError('RequestInvalid', `${verbing} rollout ${rollout.id}: ${found}`)
  }
  if (verb.kind === 'pause') {
    if (kind !== 'Progressing') refuse('pausing', `it is ${kind}; only one that is Progressing can be paused`)
    return
  }
  if (kind !== 'Paused') refuse('resuming', `it is ${kind}; only one that is Paused can be resumed`)
  const { digest } = rollout.image
  const denied = state.fleets.get(rollout.fleet)?.record.denied.find((denial) => denial.digest === digest)
  if (denied !== undefined) {
    refuse('resuming', `${shortDigest(digest)} is denied (${denied.reason}); git must name another digest`)
  }
}
