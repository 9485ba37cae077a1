import { withdraw } from './grants.ts'
import { haltOf } from './fleet-record.ts'
import { fleetOf, writeFleet } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { RolloutEngineState } from './state.ts'
import type { EveryFleetRecord, Halt } from './records.ts'
import type { RolloutEvent } from './events.ts'
import { withVerb } from './verb-log.ts'

export type HaltEvent = Extract<RolloutEvent, { readonly kind: 'halt' | 'unhalt' }>

/** Durable before anything is withdrawn; what a crash leaves granted is withdrawn when the engine is opened. */
export function takeHalt(state: RolloutEngineState, changes: Changes, event: HaltEvent): void {
  const atMs = changes.now.wallMs
  const { actor, kind, reason } = event
  const halted: Halt | null = kind === 'halt' ? { atMs, actor, reason } : null
  const verb = { atMs, actor, verb: kind, reason }
  if (event.fleet !== null) {
    // A fleet that nobody knows is no fleet to keep a record of.
    const fleet = state.fleets.get(event.fleet)
    if (fleet === undefined) return
    writeFleet(state, changes, withVerb({ ...fleet.record, halted }, verb))
  } else {
    const record: EveryFleetRecord = withVerb({ ...state.everyFleet, halted }, verb)
    state.everyFleet = record
    changes.writes.set('every fleet', { kind: 'everyFleet', record })
  }
  if (kind === 'halt') withdrawHalted(state, changes)
  else changes.again = true
}

/** Whatever a host may still be kept from doing, also of a fleet that git no longer names. */
export function withdrawHalted(state: RolloutEngineState, changes: Changes): void {
  const isHalted = [...state.fleets.values()].some((fleet) => haltOf(state, fleet) !== null)
  if (!isHalted) return
  for (const host of state.hosts.values()) {
    for (const grant of host.grants.values()) {
      const rollout = state.rollouts.get(grant.rolloutId)?.record
      const halt = rollout && haltOf(state, fleetOf(state, rollout.fleet))
      // One that only waits to be tried again holds nothing, and waits on.
      if (halt?.kind !== 'Halted' || grant.phase === 'Pending') continue
      withdraw(state, changes, { grant, phase: 'Removed', message: `halted by ${halt.actor}` })
    }
  }
}
