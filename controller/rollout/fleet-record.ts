import type { Fleet, RolloutEngineState } from './state.ts'
import type { BlockingReason } from './states.ts'
import type { DeniedDigest } from './records.ts'

export function denialOf(fleet: Fleet, digest: string): DeniedDigest | null {
  return fleet.record.denied.find((denied) => denied.digest === digest) ?? null
}

/** A halt of every fleet comes before one of this fleet. */
export function haltOf(state: RolloutEngineState, fleet: Fleet): BlockingReason | null {
  const { halted: every } = state.everyFleet
  const halt = every ?? fleet.record.halted
  if (halt === null) return null
  const name = every === null ? fleet.record.fleet : null
  return { kind: 'Halted', fleet: name, actor: halt.actor, reason: halt.reason }
}
