import { isBroken, isHealthyOn } from './evidence.ts'
import { runsWith } from './given-arguments.ts'
import { recount } from './contribution.ts'
import { targetOf } from './needs.ts'
import type { Need } from './needs.ts'
import { isCommitted, isEnded, isFailure } from './phases.ts'
import { noteActivation } from './rate.ts'
import { noRetries } from './retry.ts'
import { fleetOf, hostOf } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Host, Rollout, RolloutEngineState } from './state.ts'
import type { HostPhase } from './states.ts'
import type { GrantRecord } from './records.ts'
import type { HostReport } from './report.ts'
import type { ResolvedImage } from './wanted.ts'

/** Boots that one attempt may take, its fallback included. */
const tries = 3

export function writeGrant(state: RolloutEngineState, changes: Changes, record: GrantRecord): void {
  const host = hostOf(state, record.hostId)
  const before = host.grants.get(record.rolloutId)
  const kept = { ...record, failures: failuresAfter(before, record) }
  recount(state, host, () => host.grants.set(record.rolloutId, kept))
  changes.writes.set(`grant ${record.rolloutId} ${record.hostId}`, { kind: 'grant', record: kept })
}

/** Each attempt that failed counts once, whatever is learned of it later. */
function failuresAfter(before: GrantRecord | undefined, record: GrantRecord): number {
  const isKnown = before?.attempt === record.attempt && isFailure(before.phase)
  return (before?.failures ?? 0) + Number(isFailure(record.phase) && !isKnown)
}

type Step = {
  readonly rollout: Rollout
  readonly host: Host
  /** No lease outlives the window in which it is given; null: none ends. */
  readonly windowEndMs: number | null
}

function within(untilMs: number, { windowEndMs }: Step): number {
  return windowEndMs === null ? untilMs : Math.min(untilMs, windowEndMs)
}

/** The next step of a host that waits in a queue: a lease to stage, or at once the end that is already certain. */
export function grantStage(
  state: RolloutEngineState,
  changes: Changes,
  step: Step & { readonly need: Need },
): void {
  const { host, need } = step
  const rollout = step.rollout.record
  const report = (host.record as NonNullable<Host['record']>).report
  const fleet = fleetOf(state, rollout.fleet).record
  const before = host.grants.get(rollout.id)
  const image = targetOf(rollout, need)
  const isOrdered = before?.phase === 'Pending' && before.retried !== null
  const { kernelArguments } = host
  const runs = isHealthyOn(report, image) && runsWith(report, kernelArguments)
  const end = settledEnd({ report, runs }, image, isOrdered ? [image.digest] : fleet.allowed)
  const at = changes.now.wallMs
  writeGrant(state, changes, {
    rolloutId: rollout.id,
    hostId: host.id,
    generation: rollout.generation,
    ...need,
    ...keptOf(before, need),
    ...(kernelArguments.length > 0 && { kernelArguments }),
    stageUntilMs: end === null ? within(at + rollout.strategy.deadlines.downloadMs, step) : null,
    activateUntilMs: null,
    notBeforeMs: null,
    bootIdBefore: null,
    brokenBefore: false,
    failures: 0,
    endBy: null,
    phase: end?.phase ?? 'Granted',
    message: end?.message ?? '',
    grantedAtMs: at,
    endedAtMs: end === null ? null : at,
  })
  changes.publishes.add(host.id)
  if (end !== null) changes.again = true
}

type Kept = Pick<
  GrantRecord,
  'attempt' | 'failedBefore' | 'activateGrantedAtMs' | 'retries' | 'retried' | 'inconclusive'
>

/** What an attempt keeps of the one before it; what was counted in the other direction begins anew. */
function keptOf(before: GrantRecord | undefined, need: Need): Kept {
  const isSameWay = before?.direction === need.direction
  return {
    attempt: 1,
    activateGrantedAtMs: null,
    retried: null,
    ...(before && {
      attempt: before.attempt + 1,
      activateGrantedAtMs: before.activateGrantedAtMs,
      retried: before.retried,
    }),
    failedBefore: need.pinned && before !== undefined && (before.failedBefore || isOwnFailure(before)),
    retries: isSameWay ? before.retries : noRetries,
    inconclusive: isSameWay ? before.inconclusive : 0,
  }
}

function isOwnFailure(grant: GrantRecord): boolean {
  return !grant.pinned && isFailure(grant.phase)
}

/**
 * A host that runs the image already is adopted: its record is Succeeded at once, and its plan grants nothing but
 * carries generation and denials, so that it is fenced like every other. One that can never run it, or has tried
 * it before and fell back, fails without being touched.
 */
function settledEnd(
  { report, runs }: { readonly report: HostReport; readonly runs: boolean },
  image: ResolvedImage,
  allowed: readonly string[],
): { readonly phase: HostPhase; readonly message: string } | null {
  const manifest = image.manifests[report.architecture]
  if (manifest === undefined) {
    return { phase: 'Rejected', message: `the image has no manifest for ${report.architecture}` }
  }
  const refuses = report.deniedDigests.includes(image.digest) || report.deniedDigests.includes(manifest)
  if (refuses && !allowed.includes(image.digest)) {
    return { phase: 'Failed', message: 'rolled back from this image before and refuses it' }
  }
  const settled = report.phase === 'Healthy' || report.phase === 'Idle'
  return settled && runs ? { phase: 'Succeeded', message: 'ran it already' } : null
}

export function grantActivation(state: RolloutEngineState, changes: Changes, step: Step): void {
  const { host } = step
  const { deadlines } = step.rollout.record.strategy
  const { report } = host.record as NonNullable<Host['record']>
  const at = changes.now.wallMs
  writeGrant(state, changes, {
    ...(host.grants.get(step.rollout.record.id) as GrantRecord),
    phase: 'Staged',
    activateUntilMs: within(at + deadlines.activateMs, step),
    activateGrantedAtMs: at,
    bootIdBefore: report.bootId,
    brokenBefore: isBroken(report),
    endBy: at + tries * (deadlines.activateMs + deadlines.healthMs),
  })
  noteActivation(fleetOf(state, step.rollout.record.fleet), at)
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
    notBeforeMs: null,
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
  const { phase } = end.grant
  const isWaiting = phase === 'Pending' || !isEnded(phase)
  if (isWaiting && !isCommitted(phase)) endGrant(state, changes, end)
}

export function withdrawAll(
  state: RolloutEngineState,
  changes: Changes,
  end: { readonly rollout: Rollout; readonly phase: HostPhase; readonly message: string },
): void {
  const { message, phase, rollout } = end
  for (const id of [...rollout.open].toSorted()) {
    const grant = hostOf(state, id).grants.get(rollout.record.id) as GrantRecord
    withdraw(state, changes, { grant, phase, message })
  }
}

/** Takes back what a host has not used up, without a failure: it is queued again, at once or after `notBeforeMs`. */
export function putOff(state: RolloutEngineState, changes: Changes, grant: GrantRecord): void {
  writeGrant(state, changes, {
    ...grant,
    phase: 'Pending',
    stageUntilMs: null,
    activateUntilMs: null,
    endedAtMs: null,
  })
  changes.publishes.add(grant.hostId)
}
