import type { RolloutEngineState } from '../rollout/state.ts'
import type { RolloutEvent } from '../rollout/events.ts'
import type { HostRecord, VerbRecord } from '../rollout/records.ts'

type Resumed = NonNullable<HostRecord['resumed']>

/** The newest entry in the log of what an order concerns; another one afterwards shows that it was carried out. */
export function lastOrder(state: RolloutEngineState, event: RolloutEvent): VerbRecord | Resumed | null {
  // Hosts have no log: of them the last order is kept.
  if (event.kind === 'resumeHost') return state.hosts.get(event.hostId)?.record?.resumed ?? null
  return recordOf(state, event)?.log.at(-1) ?? null
}

function recordOf(
  state: RolloutEngineState,
  event: RolloutEvent,
): { readonly log: readonly VerbRecord[] } | undefined {
  if ('rolloutId' in event) return state.rollouts.get(event.rolloutId)?.record
  if (!('fleet' in event)) return undefined
  return event.fleet === null ? state.everyFleet : state.fleets.get(event.fleet)?.record
}
