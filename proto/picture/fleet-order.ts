import type { FleetStatus } from '../gen/bootfleet/v1/operator_pb.ts'

const fleetRanks: readonly (readonly string[])[] = [
  ['Failed', 'RolledBack', 'Aborted', 'Halted'],
  ['AwaitingApproval', 'Paused'],
  ['Progressing'],
  ['Held', 'Suspended', 'Pending'],
]

/** What a person must act on, what moves, what waits, and what is well; by name within. */
export function fleetsWorstFirst(fleets: readonly FleetStatus[]): readonly FleetStatus[] {
  return fleets.toSorted((a, b) => rankOf(a) - rankOf(b) || Number(a.name > b.name) - Number(a.name < b.name))
}

function rankOf({ state }: FleetStatus): number {
  const rank = fleetRanks.findIndex((states) => states.includes(state))
  return rank === -1 ? fleetRanks.length : rank
}
