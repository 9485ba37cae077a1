import { isHeld } from './host-names.ts'
import { isDetour } from './needs.ts'
import { isEnded, isFailure, isOpenAgain, isWithdrawn } from './phases.ts'
import type { GrantRecord } from './records.ts'
import type { Host, HostClass } from './state.ts'

/** Its turn does not come; what it did before stays counted. */
export function isApart(host: Host): boolean {
  return isHeld(host) || host.pin !== null
}

export function classApart(grant: GrantRecord | null): HostClass {
  if (grant === null || isWithdrawn(grant.phase) || isOpenAgain(grant)) return 'skipped'
  if (grant.failedBefore) return 'failed'
  return isDetour(grant) ? 'skipped' : classOf(grant, false)
}

export function classOf(grant: GrantRecord | null, member: boolean): HostClass {
  if (grant === null) return 'pending'
  if (grant.failedBefore) return 'failed'
  if (isDetour(grant) && isEnded(grant.phase)) return member ? 'pending' : 'skipped'
  if (isOpenAgain(grant) && member) return 'pending'
  if (grant.phase === 'Succeeded') return 'succeeded'
  if (isWithdrawn(grant.phase) || isOpenAgain(grant)) return 'skipped'
  return isFailure(grant.phase) ? 'failed' : 'inProgress'
}
