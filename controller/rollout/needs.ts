import { hasDrifted, runsImage } from './evidence.ts'
import { isEnded, isFailure, isWithdrawn } from './phases.ts'
import { ownerOf } from './state.ts'
import type { Fleet, Host } from './state.ts'
import type { GrantRecord, HostReport, ResolvedImage, RolloutRecord } from './types.ts'

export type Direction = GrantRecord['direction']

export function imageOf(rollout: RolloutRecord, direction: Direction): ResolvedImage {
  return direction === 'Back' && rollout.from !== null ? rollout.from.image : rollout.image
}

/** Which image a host needs a new attempt for from its fleet's current rollout, were there no limits; null: none. */
export function needOf(rollout: RolloutRecord, host: Host, isTail: boolean): Direction | null {
  if (host.record === null) return null
  const { report } = host.record
  const grant = host.grants.get(rollout.id) ?? null
  if (grant !== null && !isEnded(grant.phase)) return null
  const { kind } = rollout.state
  if (kind === 'Progressing' || kind === 'Paused') {
    return isTail ? stableOnly(rollout, grant, report) : firstForward(grant)
  }
  if (kind === 'Succeeded') return forwardAsKeeper(rollout, grant, report)
  return kind === 'RollingBack'
    ? backFromTrial(rollout, grant, report)
    : backUnlessThere(rollout, grant, report)
}

function firstForward(grant: GrantRecord | null): Direction | null {
  return grant === null || grant.phase === 'Removed' ? 'Forward' : null
}

/** Joiners during a trial; before a fleet's first success there is nothing for them yet. */
function stableOnly(rollout: RolloutRecord, grant: GrantRecord | null, report: HostReport): Direction | null {
  return rollout.from === null ? null : backUnlessThere(rollout, grant, report)
}

/** Stragglers, joiners and drifted hosts; a failed host is not tried again by itself. */
function forwardAsKeeper(
  rollout: RolloutRecord,
  grant: GrantRecord | null,
  report: HostReport,
): Direction | null {
  if (grant === null || isWithdrawn(grant.phase)) return 'Forward'
  if (isFailure(grant.phase)) return null
  return grant.direction === 'Back' || hasDrifted(report, grant, rollout.image) ? 'Forward' : null
}

/** The rollback itself: hosts of this rollout that run the new image now. */
function backFromTrial(
  rollout: RolloutRecord,
  grant: GrantRecord | null,
  report: HostReport,
): Direction | null {
  return grant?.direction === 'Forward' && runsImage(report, rollout.image) ? 'Back' : null
}

/** Stable while another revision is or was on trial. */
function backUnlessThere(
  rollout: RolloutRecord,
  grant: GrantRecord | null,
  report: HostReport,
): Direction | null {
  if (grant?.direction === 'Back' && isFailure(grant.phase)) return null
  return runsImage(report, imageOf(rollout, 'Back')) ? null : 'Back'
}

/** A host in flight for a replaced rollout, or for a fleet that it left, is let finish first. */
export function grantElsewhere(host: Host, rolloutId: string | null): GrantRecord | null {
  for (const grant of host.grants.values()) {
    if (grant.rolloutId !== rolloutId && !isEnded(grant.phase)) return grant
  }
  return null
}

export function isMember(fleet: Fleet, host: Host): boolean {
  return ownerOf(host) === fleet.record.fleet
}
