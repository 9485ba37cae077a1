import { nextOnTheWay } from './barriers.ts'
import { hasDrifted, isBroken, runsImage } from './evidence.ts'
import { runsWith } from './given-arguments.ts'
import { isFreed, wantsOthers } from './kernel-arguments.ts'
import { isEnded, isFailure, isOpenAgain, isWithdrawn } from './phases.ts'
import { partOf } from './host-names.ts'
import type { Fleet, Host, RolloutEngineState } from './state.ts'
import type { GrantRecord, RolloutRecord } from './records.ts'
import type { HostReport } from './report.ts'
import type { ResolvedImage } from './wanted.ts'

/** Attempts that may end Inconclusive: of one wave before it pauses, and of one host that no wave holds. */
export const maxInconclusive = 2

export type Direction = GrantRecord['direction']

/** What the next attempt of a host is for; see GrantRecord. */
export type Need = Pick<GrantRecord, 'direction' | 'image' | 'pinned'>

export function imageOf(rollout: RolloutRecord, direction: Direction): ResolvedImage {
  return direction === 'Back' && rollout.from !== null ? rollout.from.image : rollout.image
}

/** The image that an attempt is for. */
export function targetOf(
  rollout: RolloutRecord,
  { direction, image }: Pick<Need, 'direction' | 'image'>,
): ResolvedImage {
  return image ?? imageOf(rollout, direction)
}

/** Which image a host needs a new attempt for from its fleet's current rollout, were there no limits; null: none. */
export function needOf(
  state: RolloutEngineState,
  of: { readonly rollout: RolloutRecord; readonly host: Host; readonly isTail: boolean },
): Need | null {
  const { host, rollout } = of
  if (host.record === null) return null
  const { report } = host.record
  const grant = host.grants.get(rollout.id) ?? null
  if (grant !== null && !isEnded(grant.phase)) return null
  const { pin } = host
  if (pin !== null) return pinNeed({ host, report }, pin.image, grant)
  const direction = directionOf(of, grant === null || isDetour(grant) ? null : grant, { host, report })
  if (direction === null || isLostOnTheWay(host, grant)) return null
  return onTheWay(state, { rollout, host, report }, direction)
}

/** Every barrier between what runs and where it goes comes first, whichever way it goes. */
function onTheWay(
  state: RolloutEngineState,
  of: { readonly rollout: RolloutRecord; readonly host: Host; readonly report: HostReport },
  direction: Direction,
): Need {
  const requires = state.wanted?.get(of.rollout.fleet)?.requires ?? []
  const target = imageOf(of.rollout, direction)
  const next = nextOnTheWay({ requires, versions: state.versions }, of.report, target)
  return { direction, image: next.kind === 'Via' ? next.barrier.via : null, pinned: false }
}

/** An attempt that was for something else says nothing about the rollout's own image, unless it failed. */
export function isDetour(grant: GrantRecord): boolean {
  return grant.pinned || (grant.image !== null && grant.phase === 'Succeeded')
}

/** A host that could not take the image on the way is not sent past it. */
function isLostOnTheWay(host: Host, grant: GrantRecord | null): boolean {
  if (grant === null || grant.pinned || grant.image === null) return false
  return isFailure(grant.phase) && !isFreed(host, grant)
}

type Heard = { readonly host: Host; readonly report: HostReport }

function isOn({ host, report }: Heard, image: ResolvedImage): boolean {
  return runsImage(report, image) && runsWith(report, host.kernelArguments)
}

/** A pin that failed is not tried again until it names something else. */
function pinNeed(
  { host, report }: Heard,
  image: ResolvedImage | null,
  grant: GrantRecord | null,
): Need | null {
  if (image === null || isOn({ host, report }, image)) return null
  if (grant?.pinned === true && grant.image?.digest === image.digest && !isFreed(host, grant)) {
    if (isFailure(grant.phase) || isExhausted(grant)) return null
  }
  return { direction: 'Forward', image, pinned: true }
}

function directionOf(
  { isTail, rollout }: { readonly rollout: RolloutRecord; readonly isTail: boolean },
  grant: GrantRecord | null,
  heard: Heard,
): Direction | null {
  const { kind } = rollout.state
  if (kind === 'Progressing' || kind === 'Paused') {
    return isTail ? stableOnly(rollout, grant, heard) : forwardInWave(rollout, grant, heard)
  }
  if (kind === 'Aborted') return isTail ? stableOnly(rollout, grant, heard) : null
  if (kind === 'Succeeded') return forwardAsKeeper(rollout, grant, heard)
  return kind === 'RollingBack'
    ? backFromTrial(rollout, grant, heard.report)
    : backUnlessThere(rollout, grant, heard)
}

/** A host of the running wave that somebody booted into another image would keep the wave from its end. */
function forwardInWave(
  rollout: RolloutRecord,
  grant: GrantRecord | null,
  { host, report }: Heard,
): Direction | null {
  if (grant === null || isOpenAgain(grant)) return 'Forward'
  if (isFailure(grant.phase)) return isFreed(host, grant) ? 'Forward' : null
  if (grant.phase !== 'Succeeded') return null
  return wantsOthers(host, grant) || hasDrifted(report, grant, rollout.image) ? 'Forward' : null
}

/** Where no wave pauses, a host that reaches nobody must not reboot for ever. */
function isExhausted(grant: GrantRecord): boolean {
  return grant.phase === 'Inconclusive' && grant.inconclusive > maxInconclusive
}

/** Joiners during a trial; before a fleet's first success there is nothing for them yet. */
function stableOnly(rollout: RolloutRecord, grant: GrantRecord | null, heard: Heard): Direction | null {
  return rollout.from === null ? null : backUnlessThere(rollout, grant, heard)
}

/** Stragglers, joiners, drifted hosts, other kernel arguments; a failed host is not tried again by itself. */
function forwardAsKeeper(
  rollout: RolloutRecord,
  grant: GrantRecord | null,
  { host, report }: Heard,
): Direction | null {
  if (grant === null || isWithdrawn(grant.phase) || isFreed(host, grant)) return 'Forward'
  if (isFailure(grant.phase) || isExhausted(grant)) return null
  if (isOpenAgain(grant) || wantsOthers(host, grant)) return 'Forward'
  return grant.direction === 'Back' || hasDrifted(report, grant, rollout.image) ? 'Forward' : null
}

/** The rollback itself: hosts of this rollout that run the new image now, or those alone that it does no good. */
function backFromTrial(
  rollout: RolloutRecord,
  grant: GrantRecord | null,
  report: HostReport,
): Direction | null {
  if (grant === null || !runsImage(report, rollout.image)) return null
  if (grant.direction === 'Back') return isOpenAgain(grant) && !isExhausted(grant) ? 'Back' : null
  return isKept(rollout, grant, report) ? null : 'Back'
}

/** A rollback of failed hosts only leaves the others on the image, also while new hosts get stable. */
function isKept({ strategy }: RolloutRecord, grant: GrantRecord, report: HostReport): boolean {
  return strategy.rollback.scope === 'FailedOnly' && grant.phase === 'Succeeded' && !isBroken(report)
}

/** Stable while another revision is or was on trial. */
function backUnlessThere(
  rollout: RolloutRecord,
  grant: GrantRecord | null,
  { host, report }: Heard,
): Direction | null {
  if (grant?.direction === 'Back' && !isFreed(host, grant)) {
    if (isFailure(grant.phase) || isExhausted(grant)) return null
  }
  if (grant?.direction === 'Forward' && runsImage(report, rollout.image) && isKept(rollout, grant, report)) {
    return null
  }
  return isOn({ host, report }, imageOf(rollout, 'Back')) ? null : 'Back'
}

/** A host in flight for a replaced rollout, or for a fleet that it left, is let finish first. */
export function grantElsewhere(host: Host, rolloutId: string | null): GrantRecord | null {
  for (const grant of host.grants.values()) {
    if (grant.rolloutId !== rolloutId && !isEnded(grant.phase)) return grant
  }
  return null
}

export function isMember(fleet: Fleet, host: Host): boolean {
  return partOf(host) === fleet.record.fleet
}
