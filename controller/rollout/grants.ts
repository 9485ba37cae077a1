import { isBroken, isHealthyOn, readReport } from './evidence.ts'
import { parseDeadline, recount } from './contribution.ts'
import { imageOf } from './needs.ts'
import type { Direction } from './needs.ts'
import { isCommitted, isEnded } from './phases.ts'
import { hostOf } from './state.ts'
import type { Changes, Host, Rollout, RolloutEngineState } from './state.ts'
import type { HostPhase } from './states.ts'
import type { GrantRecord, HostReport } from './types.ts'

/** Boots that one attempt may take, its fallback included. */
const tries = 3

export function writeGrant(state: RolloutEngineState, changes: Changes, record: GrantRecord): void {
  const host = hostOf(state, record.hostId)
  recount(state, host, () => host.grants.set(record.rolloutId, record))
  changes.writes.set(`grant ${record.rolloutId} ${record.hostId}`, { kind: 'grant', record })
}

/** The next step of a host that waits in a queue: a lease to stage, or at once the end that is already certain. */
export function grantStage(
  state: RolloutEngineState,
  changes: Changes,
  step: { readonly rollout: Rollout; readonly host: Host; readonly direction: Direction },
): void {
  const { direction, host } = step
  const rollout = step.rollout.record
  const report = (host.record as NonNullable<Host['record']>).report
  const end = settledEnd(report, imageOf(rollout, direction))
  const at = changes.now.wallMs
  writeGrant(state, changes, {
    rolloutId: rollout.id,
    hostId: host.id,
    generation: rollout.generation,
    attempt: (host.grants.get(rollout.id)?.attempt ?? 0) + 1,
    direction,
    stageUntilMs: end === null ? at + rollout.strategy.deadlines.downloadMs : null,
    activateUntilMs: null,
    bootIdBefore: null,
    brokenBefore: false,
    endBy: null,
    phase: end?.phase ?? 'Granted',
    message: end?.message ?? '',
    grantedAtMs: at,
    endedAtMs: end === null ? null : at,
  })
  changes.publishes.add(host.id)
  if (end !== null) changes.again = true
}

/**
 * A host that runs the image already is adopted: its record is Succeeded at once, and its plan grants nothing but
 * carries generation and denials, so that it is fenced like every other. One that can never run it, or has tried
 * it before and fell back, fails without being touched.
 */
function settledEnd(
  report: HostReport,
  image: ReturnType<typeof imageOf>,
): { readonly phase: HostPhase; readonly message: string } | null {
  const manifest = image.manifests[report.architecture]
  if (manifest === undefined) {
    return { phase: 'Rejected', message: `the image has no manifest for ${report.architecture}` }
  }
  if (report.deniedDigests.includes(image.digest) || report.deniedDigests.includes(manifest)) {
    return { phase: 'Failed', message: 'rolled back from this image before and refuses it' }
  }
  const settled = report.phase === 'Healthy' || report.phase === 'Idle'
  return settled && isHealthyOn(report, image) ? { phase: 'Succeeded', message: 'ran it already' } : null
}

export function grantActivation(
  state: RolloutEngineState,
  changes: Changes,
  step: { readonly rollout: Rollout; readonly host: Host },
): void {
  const { host } = step
  const { deadlines } = step.rollout.record.strategy
  const { report } = host.record as NonNullable<Host['record']>
  const at = changes.now.wallMs
  writeGrant(state, changes, {
    ...(host.grants.get(step.rollout.record.id) as GrantRecord),
    phase: 'Staged',
    activateUntilMs: at + deadlines.activateMs,
    bootIdBefore: report.bootId,
    brokenBefore: isBroken(report),
    endBy: at + tries * (deadlines.activateMs + deadlines.healthMs),
  })
  changes.publishes.add(host.id)
}

/** Ends a grant by our own decree and takes its leases back. */
export function endGrant(
  state: RolloutEngineState,
  changes: Changes,
  end: { readonly grant: GrantRecord; readonly phase: HostPhase; readonly message: string },
): void {
  writeGrant(state, changes, {
    ...end.grant,
    stageUntilMs: null,
    activateUntilMs: null,
    phase: end.phase,
    message: end.message,
    endedAtMs: changes.now.wallMs,
  })
  changes.publishes.add(end.grant.hostId)
}

/** Takes back what one host may still be kept from doing; past the commit point it is let finish. */
export function withdraw(
  state: RolloutEngineState,
  changes: Changes,
  end: { readonly grant: GrantRecord; readonly phase: HostPhase; readonly message: string },
): void {
  if (!isEnded(end.grant.phase) && !isCommitted(end.grant.phase)) endGrant(state, changes, end)
}

export function withdrawAll(
  state: RolloutEngineState,
  changes: Changes,
  end: { readonly rolloutId: string; readonly phase: HostPhase; readonly message: string },
): void {
  for (const host of state.hosts.values()) {
    const grant = host.grants.get(end.rolloutId)
    if (grant !== undefined) withdraw(state, changes, { grant, phase: end.phase, message: end.message })
  }
}

/** What the host's last report says about each of its steps; the same report twice changes nothing. */
export function readHost(state: RolloutEngineState, changes: Changes, host: Host): void {
  const report = host.record?.report
  const grant = report?.plan && host.grants.get(report.plan.rollout)
  const rollout = grant && state.rollouts.get(grant.rolloutId)
  if (!report || !grant || !rollout) return
  const told = readReport(grant, imageOf(rollout.record, grant.direction), report)
  if (told === null) return
  const end = isEnded(told.phase)
  writeGrant(state, changes, {
    ...grant,
    phase: told.phase,
    message: told.message,
    stageUntilMs: end ? null : grant.stageUntilMs,
    activateUntilMs: end ? null : grant.activateUntilMs,
    endedAtMs: end ? changes.now.wallMs : null,
  })
}

/** Leases and waits that ran out. Soonest first, so only what is due is looked at. */
export function expire(state: RolloutEngineState, changes: Changes): void {
  for (;;) {
    const due = state.deadlines[0]
    if (due === undefined || parseDeadline(due).atMs > changes.now.wallMs) return
    const { hostId, rolloutId } = parseDeadline(due)
    const grant = hostOf(state, hostId).grants.get(rolloutId) as GrantRecord
    endGrant(state, changes, { grant, phase: 'TimedOut', message: lateness(grant) })
  }
}

function lateness(grant: GrantRecord): string {
  if (isCommitted(grant.phase)) return 'did not report after its reboot'
  return grant.activateUntilMs === null ? 'did not stage the image in time' : 'did not activate in time'
}
