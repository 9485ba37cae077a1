import { runsWith } from './given-arguments.ts'
import { isAdopted, isCommitted, isEnded, isFailure, isFurther, isWithdrawn } from './phases.ts'
import type { HostPhase } from './states.ts'
import type { GrantRecord } from './records.ts'
import type { HostReport } from './report.ts'
import type { ResolvedImage } from './wanted.ts'

/** Enough of what a check printed to tell one failure from another in a sentence. */
const detailMax = 80

const unheard = 'reached neither controller, NATS nor registry, with the new image or after falling back'

export type Told = { readonly phase: HostPhase; readonly message: string }

/** The manifest of the host's architecture decides; a host that knows only what git named is compared by that. */
export function runsImage(report: HostReport, image: ResolvedImage): boolean {
  const manifest = image.manifests[report.architecture]
  if (report.bootedManifestDigest !== null) return report.bootedManifestDigest === manifest
  return report.bootedDigest === image.digest
}

export function isHealthyOn(report: HostReport, image: ResolvedImage): boolean {
  return runsImage(report, image) && report.health.verdict === 'Passed'
}

/** Fell back because nobody answered it, and back on the old image nobody did either: then it is us. */
function isInconclusive({ failure, phase }: HostReport): boolean {
  return phase === 'RolledBack' && failure?.code === 'Inconclusive'
}

export function isBroken(report: HostReport): boolean {
  if (isInconclusive(report)) return false
  return report.health.verdict === 'Failed' || report.phase === 'Failed' || report.phase === 'RolledBack'
}

export function refersTo({ plan }: Pick<HostReport, 'plan'>, grant: GrantRecord): boolean {
  return (
    plan !== null &&
    plan.rollout === grant.rolloutId &&
    plan.generation === grant.generation &&
    plan.attempt === grant.attempt
  )
}

/** The image, and the kernel arguments that were granted with it. */
function runsGranted(report: HostReport, grant: GrantRecord, image: ResolvedImage): boolean {
  return runsImage(report, image) && runsWith(report, grant.kernelArguments)
}

/** Succeeded once, and now settled on something else. */
export function hasDrifted(report: HostReport, grant: GrantRecord, image: ResolvedImage): boolean {
  return (
    refersTo(report, grant) &&
    (report.phase === 'Healthy' || report.phase === 'Idle') &&
    !runsGranted(report, grant, image)
  )
}

/** Succeeded once, and now not healthy on the image: restarts the soak. */
export function hasRegressed(report: HostReport, grant: GrantRecord, image: ResolvedImage): boolean {
  return refersTo(report, grant) && !isHealthyOn(report, image)
}

/**
 * What a report says about the step that a grant is for, or null when it changes nothing. A host's own end is
 * final; an end that we decreed is corrected by the host's later account of the very same attempt: TimedOut by an
 * end, a withdrawn grant also by news that the commit point was passed before the withdrawal arrived, an adopted
 * host by a failure of the checks that it then runs.
 */
export function readReport(grant: GrantRecord, image: ResolvedImage, report: HostReport): Told | null {
  if (!refersTo(report, grant)) return null
  const told = toldBy(grant, image, report)
  if (told === null) return null
  const end = isEnded(told.phase)
  if (grant.phase === 'TimedOut') return end ? told : null
  if (isWithdrawn(grant.phase)) {
    return grant.bootIdBefore !== null && (end || isCommitted(told.phase)) ? told : null
  }
  if (isAdopted(grant)) return isFailure(told.phase) ? told : null
  if (isEnded(grant.phase)) return null
  return end || isFurther(told.phase, grant.phase) ? told : null
}

const underWay: Readonly<Partial<Record<HostReport['phase'], HostPhase>>> = {
  Downloading: 'Downloading',
  Ready: 'Downloading',
  Staging: 'Downloading',
  Staged: 'AwaitingSlot',
  Activating: 'Activating',
  Rebooting: 'Rebooting',
  Verifying: 'Verifying',
  RollingBack: 'RollingBack',
}

/** A failure code that begins with Rejected says that this host can never take this image. */
function toldBy(grant: GrantRecord, image: ResolvedImage, report: HostReport): Told | null {
  const phase = underWay[report.phase]
  if (phase !== undefined) return { phase, message: phase === 'RollingBack' ? failureOf(report) : '' }
  if (report.phase === 'Idle') return bootedOther(grant, image, report)
  if (report.phase === 'Healthy') return succeeded(grant, image, report) ?? bootedOther(grant, image, report)
  if (isInconclusive(report)) return { phase: 'Inconclusive', message: unheard }
  const isRejection = report.phase === 'Failed' && report.failure?.code.startsWith('Rejected') === true
  return {
    phase: report.phase === 'RolledBack' ? 'RolledBack' : isRejection ? 'Rejected' : 'Failed',
    message: failureOf(report),
  }
}

/** Without an activate grant the host ran the image before: nothing had to boot. */
function succeeded(grant: GrantRecord, image: ResolvedImage, report: HostReport): Told | null {
  const isThere = isHealthyOn(report, image) && runsWith(report, grant.kernelArguments)
  if (!isThere || report.bootId === grant.bootIdBefore) return null
  return { phase: 'Succeeded', message: '' }
}

function bootedOther(grant: GrantRecord, image: ResolvedImage, report: HostReport): Told | null {
  const rebooted = grant.bootIdBefore !== null && report.bootId !== grant.bootIdBefore
  // What a person made it boot is no failure of the image.
  if (!rebooted || report.localMove !== undefined || runsGranted(report, grant, image)) return null
  if (runsImage(report, image)) return { phase: 'Failed', message: 'booted it with other kernel arguments' }
  return { phase: 'Failed', message: `booted ${report.bootedDigest ?? 'something unknown'} instead` }
}

function failureOf(report: HostReport): string {
  const checks = report.health.failedChecks
  const detail = checks[0]?.detail ?? ''
  const told = detail === '' ? '' : ` (${shortened(detail)})`
  if (checks.length > 0) return `failed health check ${checks.map(({ name }) => name).join(', ')}${told}`
  return report.failure?.message ?? 'failed without saying why'
}

function shortened(detail: string): string {
  if (detail.length <= detailMax) return detail
  // Half of a letter beyond the 65,536 first is none.
  const cut = detail.slice(0, detailMax - 1).replace(/[\uD800-\uDBFF]$/, '')
  return `${cut.trimEnd()}…`
}
