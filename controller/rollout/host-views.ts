import { bucketIndexOf } from './bucket-index.ts'
import { hasDrifted, refersTo, runsImage } from './evidence.ts'
import { explain } from './explain.ts'
import type { Explanation } from './explain.ts'
import { targetOf } from './needs.ts'
import { isEnded, isFailure } from './phases.ts'
import { renderReason } from './sentences.ts'
import { currentRollout } from './state-entries.ts'
import { isReportOnly, moveOf, nameOf, noLabels, ownerOf, partOf } from './host-names.ts'
import type { Host, Rollout, RolloutEngineState } from './state.ts'
import type { HostCondition, HostPhase } from './states.ts'
import type { GrantRecord } from './records.ts'
import type { ReportedSystem, SourcedArgument } from './report.ts'
import type { Now } from './now.ts'

export type HostInRolloutView = {
  readonly hostId: string
  readonly hostName: string
  readonly phase: HostPhase
  readonly wave: string
  readonly message: string
  /** What the host saw of its failed boots, in one line; empty when nothing failed. */
  readonly evidence: string
}

export type HostView = {
  readonly hostId: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** By git, beside those of its enrolment. */
  readonly declaredLabels: Readonly<Record<string, string>>
  readonly fleet: string
  readonly phase: Standing
  readonly bootedDigest: string
  readonly bootedVersion: string
  readonly bootId: string
  readonly health: string
  /** What the message is about. */
  readonly reason: Explanation['kind'] | 'Revoked'
  readonly message: string
  readonly architecture: string
  readonly deniedDigests: readonly string[]
  readonly conditions: readonly HostCondition[]
  /** What boots next. */
  readonly defaultDigest: string
  readonly etcConflicts: readonly string[]
  /** What stands on its kernel's line behind the root, and whose it is; empty: nothing, or it does not say. */
  readonly kernelLine: readonly SourcedArgument[]
  /** What its plan gave what runs for that line; undefined: it does not say. */
  readonly givenKernelArguments: readonly string[] | undefined
  readonly evidence: readonly string[]
  /** Why it does not follow a plan that it got, with the code; empty: it follows. */
  readonly refusedPlan: string
  /** What it runs, where it only reports; null: it is updated. */
  readonly reportOnly: ReportedSystem | null
  /** How it says that it keeps its private keys; empty: it does not say. */
  readonly keysKept: 'sealed' | 'plain' | ''
}

/** A host's phase in the rollout of its fleet, or that no rollout has it. */
export type Standing = HostPhase | 'ReportOnly'

const attentionMax = 20

/** Sorted by name. `fleet` null: every host, also one without a fleet. */
export function describeHosts(
  state: RolloutEngineState,
  fleet: string | null,
  now: Now,
): readonly HostView[] {
  return [...state.hosts.values()]
    .filter((host) => host.enrolment !== null && (fleet === null || ownerOf(host) === fleet))
    .map((host) => describeHost(state, host, now))
    .toSorted((a, b) => compare(a.name, b.name))
}

function describeHost(state: RolloutEngineState, host: Host, now: Now): HostView {
  const fleet = state.fleets.get(ownerOf(host) ?? '')
  const rollout = fleet && partOf(host) !== null ? currentRollout(state, fleet) : null
  return {
    hostId: host.id,
    name: nameOf(host),
    labels: (host.enrolment as NonNullable<Host['enrolment']>).labels,
    declaredLabels: state.declarations.get(nameOf(host))?.labels ?? noLabels,
    fleet: fleet?.record.fleet ?? '',
    phase: standingOf(rollout, host),
    bootedVersion: versionOf(state, host),
    ...saidOf(state, host, now),
    conditions: conditionsOf(host, rollout),
    ...reported(host),
  }
}

const unheard = {
  architecture: '',
  bootedDigest: '',
  bootId: '',
  defaultDigest: '',
  deniedDigests: [],
  etcConflicts: [],
  evidence: [],
  health: 'Unknown',
  keysKept: '',
  kernelLine: [],
  givenKernelArguments: undefined,
  refusedPlan: '',
  reportOnly: null,
} satisfies Partial<HostView>

type Reported = Pick<HostView, keyof typeof unheard>

function reported({ record }: Host): Reported {
  if (record === null) return unheard
  const { architecture, bootedDigest, bootId, defaultDigest, deniedDigests, etcConflicts } = record.report
  const { bootedManifestDigest, failure, health, keysKept = '', phase, refused } = record.report
  const { kernelArguments, kernelLine = [], reportOnly = null } = record.report
  // No git names what it runs: the manifest is what its own tools know it by.
  const booted = bootedDigest ?? (reportOnly && bootedManifestDigest)
  return {
    architecture,
    bootedDigest: booted ?? '',
    bootId,
    defaultDigest: defaultDigest ?? '',
    deniedDigests,
    etcConflicts,
    kernelLine,
    givenKernelArguments: kernelArguments,
    evidence: failure?.evidence ?? [],
    keysKept,
    reportOnly,
    refusedPlan: refused === undefined ? '' : `${refused.code}: ${refused.message}`,
    // After a fallback a failed verdict may be the one on the image that was left; a passed one is on what runs.
    health: phase === 'RolledBack' && health.verdict === 'Failed' ? 'Unknown' : health.verdict,
  }
}

function conditionsOf(host: Host, rollout: Rollout | null): readonly HostCondition[] {
  const conditions: HostCondition[] = isReportOnly(host) ? ['ReportOnly'] : []
  if (!host.connected) conditions.push('Unreachable')
  if (host.enrolment?.revoked !== undefined) conditions.push('Revoked')
  if (host.pin !== null) conditions.push('Pinned')
  if (host.hold !== null) conditions.push('Held')
  if (moveOf(host) !== null) conditions.push('Drifted(local)')
  else if (isDrifted(host, rollout)) conditions.push('Drifted')
  if (host.owners.length > 1) conditions.push('MultipleOwners')
  if (host.owners.length === 0) conditions.push('NoFleet')
  // For one that no fleet has, or that is revoked, nothing is signed anew.
  else if (host.record?.report.plansStaleSinceMs !== undefined) conditions.push('PlansStale')
  return conditions
}

function isDrifted({ grants, record }: Host, rollout: Rollout | null): boolean {
  const grant = rollout && grants.get(rollout.record.id)
  if (!rollout || grant?.phase !== 'Succeeded' || record === null) return false
  return hasDrifted(record.report, grant, targetOf(rollout.record, grant))
}

/** Only images that some rollout named have a version that we know. */
function versionOf(state: RolloutEngineState, host: Host): string {
  if (host.record === null) return ''
  if (isReportOnly(host)) return host.record.report.bootedVersion
  for (const { record } of state.rollouts.values()) {
    for (const image of [record.image, record.from?.image]) {
      if (image !== undefined && runsImage(host.record.report, image)) return image.version
    }
  }
  return ''
}

/** `rollout`: the current one of the fleet that selects it; null: it has none. */
export function standingOf(rollout: Rollout | null, host: Host): Standing {
  if (isReportOnly(host)) return 'ReportOnly'
  return rollout === null ? 'Pending' : phaseOf(rollout, host)
}

/** Pending and Skipped are not stored: a host that was granted nothing in a wave that is over was skipped. */
export function phaseOf(rollout: Rollout, host: Host): HostPhase {
  const grant = host.grants.get(rollout.record.id)
  if (grant !== undefined) return grant.phase
  const wave = rollout.record.waves[bucketIndexOf(rollout, host)]
  switch (wave?.state) {
    case 'Succeeded':
    case 'Skipped':
    case 'Soaking':
    case 'Analysing':
    case 'AwaitingApproval':
      return 'Skipped'
    case 'Cancelled':
    case 'Failed':
      return 'Cancelled'
    case 'Pending':
    case 'Running':
    case 'WaitingWindow':
    case undefined:
      return 'Pending'
  }
}

function saidOf(state: RolloutEngineState, host: Host, now: Now): Pick<HostView, 'message' | 'reason'> {
  const revoked = host.enrolment?.revoked
  if (revoked !== undefined) {
    return { reason: 'Revoked', message: `revoked by ${revoked.actor}: ${revoked.reason}` }
  }
  const explanation = explain(state, host.id, now)
  const { kind } = explanation
  return { reason: kind, message: kind === 'Progressing' ? explanation.message : renderReason(explanation) }
}

/** Failed first, then under way, then waiting; hosts that are where they should be need no attention. */
export function attentionOf(
  state: RolloutEngineState,
  rollout: Rollout,
  now: Now,
): readonly HostInRolloutView[] {
  const isCurrent = state.fleets.get(rollout.record.fleet)?.record.rolloutId === rollout.record.id
  return [...state.hosts.values()]
    .filter(
      (host) => host.grants.has(rollout.record.id) || (isCurrent && partOf(host) === rollout.record.fleet),
    )
    .map((host) => ({
      hostId: host.id,
      hostName: nameOf(host),
      phase: phaseOf(rollout, host),
      wave: rollout.record.waves[bucketIndexOf(rollout, host)]?.name ?? '',
      message: isCurrent
        ? saidOf(state, host, now).message
        : (host.grants.get(rollout.record.id) as GrantRecord).message,
      evidence: evidenceOf(rollout, host)[0] ?? '',
    }))
    .filter((view) => view.phase !== 'Succeeded')
    .toSorted((a, b) => urgency(a.phase) - urgency(b.phase) || compare(a.hostName, b.hostName))
    .slice(0, attentionMax)
}

/** Only of the very step that the grant is for: a host may since have failed in another rollout. */
export function evidenceOf(rollout: Rollout, host: Host): readonly string[] {
  const grant = host.grants.get(rollout.record.id)
  if (grant === undefined || host.record === null || !refersTo(host.record.report, grant)) return []
  return host.record.report.failure?.evidence ?? []
}

function urgency(phase: HostPhase): number {
  if (isFailure(phase)) return 0
  if (phase === 'Inconclusive') return 1
  return phase === 'Pending' ? 2 : isEnded(phase) ? 3 : 1
}

function compare(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}
