import { sizeOf } from '../desired-state/amount.ts'
import type { Amount } from '../desired-state/types.ts'
import { denialOf, haltOf } from './fleet-record.ts'
import { limitsOf } from './holds.ts'
import { blockOfLearning } from './learning.ts'
import { currentRollout } from './state-entries.ts'
import type { Fleet, RolloutEngineState } from './state.ts'
import type { BlockingReason } from './states.ts'
import type { DeniedDigest, RolloutRecord } from './records.ts'
import type { WantedFleet } from './wanted.ts'
import { blockOfSignature, blockOfWanted } from './wanted-blocks.ts'

/** Hosts that may be unavailable together, over all rollouts of the fleet. */
export function allowedUnavailable(state: RolloutEngineState, fleet: Fleet, rollout: RolloutRecord): number {
  return sizeOf(maxUnavailableOf(state, fleet, rollout), fleet.members.size, 'up-at-least-one')
}

function maxUnavailableOf(state: RolloutEngineState, fleet: Fleet, rollout: RolloutRecord): Amount {
  if (rollout.state.kind === 'RollingBack') return rollout.strategy.rollback.maxUnavailable
  return limitsOf(state, fleet).maxUnavailable
}

/** Hosts of the fleet that may pull at once, so that a wave does not overrun the registry or its line. */
export function allowedDownloads(state: RolloutEngineState, fleet: Fleet): number {
  return limitsOf(state, fleet).downloads.maxConcurrent
}

/** What keeps the whole fleet from getting any grant; null when nothing does. */
export function fleetBlock(state: RolloutEngineState, fleet: Fleet): BlockingReason | null {
  const halt = haltOf(state, fleet)
  if (halt !== null) return halt
  const wanted = state.wanted?.get(fleet.record.fleet)
  if (wanted === undefined) return { kind: 'FleetNotWanted' }
  const atAll = suspended(wanted) ?? blockOfSignature(wanted)
  if (atAll !== null) return atAll
  const learning = blockOfLearning(state, fleet)
  if (learning !== null) return learning
  const rollout = currentRollout(state, fleet)?.record
  const kind = rollout?.state.kind
  if (rollout?.state.kind === 'Paused') {
    const ownDenial = denialOf(fleet, rollout.image.digest)
    return ownDenial === null
      ? { kind: 'RolloutPaused', cause: rollout.state.cause }
      : { kind: 'Denied', ...pickDenial(ownDenial) }
  }
  if (kind !== undefined && kind !== 'Progressing') return null
  return blockOfWanted(fleet, wanted)
}

function suspended({ suspend }: WantedFleet): BlockingReason | null {
  return suspend ? { kind: 'Suspended' } : null
}

function pickDenial(denied: DeniedDigest): { readonly digest: string; readonly reason: string } {
  return { digest: denied.digest, reason: denied.reason }
}
