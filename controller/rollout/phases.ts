import type { HostPhase } from './states.ts'
import type { GrantRecord } from './records.ts'

/**
 * How far a host got in one attempt; a report never moves it back. Ends have no rank, nor has Pending, which is
 * stored only after an attempt that ended, when another one is due.
 */
const rankOf: Readonly<Record<HostPhase, number>> = {
  Pending: 8,
  Granted: 1,
  Downloading: 2,
  AwaitingSlot: 3,
  Staged: 3,
  Activating: 4,
  Rebooting: 5,
  Verifying: 6,
  RollingBack: 7,
  Succeeded: 8,
  Failed: 8,
  Rejected: 8,
  RolledBack: 8,
  TimedOut: 8,
  Inconclusive: 8,
  Skipped: 8,
  Superseded: 8,
  Cancelled: 8,
  Removed: 8,
}

/** Nothing is under way: the host holds no lease. */
export function isEnded(phase: HostPhase): boolean {
  return rankOf[phase] === 8
}

export function isFurther(phase: HostPhase, than: HostPhase): boolean {
  return rankOf[phase] > rankOf[than]
}

/** From Activating on the boot entry may have been renamed: no cancel reaches the host any more. */
export function isCommitted(phase: HostPhase): boolean {
  return rankOf[phase] >= 4 && rankOf[phase] < 8
}

/** Counts against the failure limit. Rejected too: a signature that one host refuses is no matter of that host. */
export function isFailure(phase: HostPhase): boolean {
  return phase === 'Failed' || phase === 'Rejected' || phase === 'RolledBack' || phase === 'TimedOut'
}

/** Ended by us, not by the host: withdrawn before, as far as we know, it passed the commit point. */
export function isWithdrawn(phase: HostPhase): boolean {
  return phase === 'Skipped' || phase === 'Superseded' || phase === 'Cancelled' || phase === 'Removed'
}

/** Neither a failure nor a success: a new attempt is due, in this rollout or from its keeper. */
export function isOpenAgain({ phase }: GrantRecord): boolean {
  return phase === 'Removed' || phase === 'Inconclusive' || phase === 'Pending'
}

/** Under way, or waiting to be tried again: what a rollout that is replaced takes back, but for what is committed. */
export function isOpen({ phase }: GrantRecord): boolean {
  return phase === 'Pending' || !isEnded(phase)
}

/** Holds a lease to pull and deploy, and has not used it up. */
export function isStaging({ phase }: GrantRecord): boolean {
  return phase === 'Granted' || phase === 'Downloading'
}

/** Past its activate grant and not yet healthy. */
export function isUnavailable(grant: GrantRecord): boolean {
  return isCommitted(grant.phase) || (grant.phase === 'Staged' && grant.activateUntilMs !== null)
}

/** What maxUnavailable counts: a host that was broken before is not down because of us. */
export function takesSlot(grant: GrantRecord): boolean {
  return isUnavailable(grant) && !grant.brokenBefore
}

/** Succeeded without a reboot of ours: it ran the image before. */
export function isAdopted(grant: GrantRecord): boolean {
  return grant.phase === 'Succeeded' && grant.bootIdBefore === null
}
