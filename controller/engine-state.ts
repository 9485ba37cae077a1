import type { EngineLoop } from './engine-loop.ts'
import { ControllerError } from './errors.ts'
import type { RolloutEngineState } from './rollout/state.ts'

/** @throws ControllerError NotLeader. */
export function stateOf({ state }: EngineLoop): RolloutEngineState {
  if (state !== null) return state
  throw new ControllerError('NotLeader', 'answering: the store is still being read; try again')
}
