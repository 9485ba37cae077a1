import type { HostStatus } from '../gen/bootfleet/v1/operator_pb.ts'

const failed: ReadonlySet<string> = new Set(['Failed', 'TimedOut', 'RolledBack', 'Rejected'])
const odd: ReadonlySet<string> = new Set(['Drifted', 'Drifted(local)', 'MultipleOwners', 'Revoked'])
const atRest: ReadonlySet<string> = new Set([
  '',
  'ReportOnly',
  'Pending',
  'Skipped',
  'Superseded',
  'Cancelled',
  'Removed',
])

/**
 * Worst first: failed or not healthy, then odd (drifted, owned twice, revoked, undecided, refusing its plan), then not
 * to be reached, then under way, then waiting, and last those that are where they should be; by name within each.
 */
export function worstFirst(hosts: readonly HostStatus[]): readonly HostStatus[] {
  return hosts.toSorted((a, b) => rankOf(a) - rankOf(b) || Number(a.name > b.name) - Number(a.name < b.name))
}

function rankOf({ conditions, connected, health, phase, refusedPlan }: HostStatus): number {
  if (failed.has(phase) || health === 'Failed') return 0
  if (phase === 'Inconclusive' || refusedPlan !== '' || conditions.some((each) => odd.has(each))) return 1
  if (!connected) return 2
  if (phase === 'Succeeded') return 5
  return atRest.has(phase) ? 4 : 3
}
