import { create } from '@bufbuild/protobuf'
import { Phase, ReportSchema, Verdict } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { shownArgument } from '../../proto/shown-argument.ts'
import { verdictOnRunning } from '../update/health.ts'
import type { AcceptedPlan, Failure, Position, State, Phase as MachinePhase } from '../update/types.ts'

/** A plan for this host that was not followed, newer than the one that is. */
export type RefusedPlan = {
  readonly plan: Pick<AcceptedPlan, 'rollout' | 'generation' | 'attempt' | 'term' | 'counter'>
  /** A stable word, for example ImageUnsigned. */
  readonly code: string
  readonly message: string
}

export type HostDescription = {
  readonly hostName: string
  readonly architecture: string
  readonly osId: string
  readonly osVersion: string
  readonly agentVersion: string
  readonly driver: string
  /** They may be sealed as it runs. */
  readonly keysKept: () => 'sealed' | 'plain'
  /** Null: the host cannot say. `NotOurs`: its boot loader takes no arguments from a plan. */
  readonly kernelLine?: readonly { readonly argument: string; readonly source: string }[] | 'NotOurs' | null
  readonly bootGuard?: 'counted' | 'uncounted' | null
  /** Null: not yet, since it booted. */
  readonly etc?: TakenEtc | null
}

/** By name below /etc, never what a file says; `more` are not named. */
type FoundInEtc =
  | {
      readonly kind: 'known'
      readonly changes: readonly { readonly path: string; readonly kind: string }[]
      readonly more: number
    }
  | { readonly kind: 'unknown'; readonly problem: string }

export type TakenEtc = { readonly found: FoundInEtc; readonly takenAtMs: number }

/** What the state does not know of the plans that come, or do not. */
export type AboutPlans = {
  readonly refused: RefusedPlan | null
  /** When the newest was signed, where that is too long ago. */
  readonly plansStaleSinceMs: number | null
}

const UNTROUBLED: AboutPlans = { refused: null, plansStaleSinceMs: null }
const EVIDENCE_MAX = 32
const KERNEL_LINE_MAX = 64
const EVIDENCE_LINE_MAX_LENGTH = 256

const PHASES: Readonly<Record<MachinePhase, Phase>> = {
  Idle: Phase.IDLE,
  Downloading: Phase.DOWNLOADING,
  Ready: Phase.READY,
  Staging: Phase.STAGING,
  Staged: Phase.STAGED,
  Activating: Phase.ACTIVATING,
  Rebooting: Phase.REBOOTING,
  Verifying: Phase.VERIFYING,
  Blessing: Phase.VERIFYING,
  Healthy: Phase.HEALTHY,
  Failed: Phase.FAILED,
  RollingBack: Phase.ROLLING_BACK,
  // The way back is not over while it is not known whose fault it was.
  Judging: Phase.ROLLING_BACK,
  RolledBack: Phase.ROLLED_BACK,
}

const VERDICTS = { Unknown: Verdict.UNKNOWN, Passed: Verdict.PASSED, Failed: Verdict.FAILED } as const

/** What the host says about itself, whole. */
export function toReport(state: State, host: HostDescription, about: AboutPlans = UNTROUBLED): Report {
  const { plansStaleSinceMs, refused } = about
  const plan = planOf(state.at)
  const failure = failureOf(state.at)
  const reference = referenceTo(state.accepted, plan)
  return create(ReportSchema, {
    hostName: host.hostName,
    ...(reference === null ? {} : { plan: reference }),
    phase: PHASES[state.at.phase],
    bootedDigest: state.booted.current?.digest ?? '',
    bootedManifestDigest: state.booted.current?.manifestDigest ?? '',
    bootedVersion: versionOf(state, plan),
    targetDigest: plan?.image.digest ?? '',
    bootId: state.booted.bootId,
    health: { verdict: VERDICTS[verdictOnRunning(state)], failedChecks: [...(failure?.failedChecks ?? [])] },
    ...(failure === null ? {} : { failure: toFailure(state.at, failure) }),
    facts: factsOf(host),
    ...lineOf(state, host),
    ...etcOf(host),
    defaultDigest: defaultDigestOf(state),
    etcConflicts: [...state.etcConflicts],
    deniedDigests: [...state.deniedDigests],
    phaseEnteredAtMs: BigInt(state.phaseEnteredAtMs),
    ...(refused === null ? {} : { refusedPlan: { ...refused, plan: toReference(refused.plan) } }),
    plansStaleSinceMs: BigInt(plansStaleSinceMs ?? 0),
    ...localMoveOf(state),
  })
}

function factsOf(host: HostDescription) {
  const { agentVersion, architecture, bootGuard, driver, keysKept, osId, osVersion } = host
  const system = { architecture, osId, osVersion, agentVersion, driver }
  return { ...system, keysKept: keysKept(), bootGuard: bootGuard ?? '' }
}

function lineOf({ booted }: State, { kernelLine }: HostDescription) {
  // Whose report has no line is given no arguments.
  if (kernelLine === 'NotOurs') return {}
  const ofHost = [...(booted.current?.kernelArguments ?? [])]
  const line = (kernelLine ?? [])
    .slice(0, KERNEL_LINE_MAX)
    .map(({ argument, source }) => ({ argument: shownArgument(argument), source }))
  return { kernelLine: { ofHost, arguments: line } }
}

function etcOf({ etc = null }: HostDescription) {
  // Empty, and not absent: who sends none never looks.
  if (etc === null) return { etcChanges: {} }
  const takenAtMs = BigInt(etc.takenAtMs)
  if (etc.found.kind === 'unknown') return { etcChanges: { takenAtMs, problem: etc.found.problem } }
  const { changes, more } = etc.found
  return { etcChanges: { takenAtMs, changes: [...changes], more } }
}

/**
 * The step is the one the phase belongs to, which past the commit point may be older than the plan last
 * accepted; term and counter are the replay barrier and so always the newest.
 */
function referenceTo(accepted: AcceptedPlan | null, plan: AcceptedPlan | null) {
  if (accepted === null) return null
  const { rollout, generation, attempt } = plan ?? accepted
  const { term, counter } = accepted
  return toReference({ rollout, generation, attempt, term, counter })
}

function toReference({ rollout, generation, attempt, term, counter }: RefusedPlan['plan']) {
  return { rollout, generation: BigInt(generation), attempt, term: BigInt(term), counter: BigInt(counter) }
}

/** Only plans tell a version, and only that of the image they name. */
function versionOf({ accepted, booted }: State, plan: AcceptedPlan | null): string {
  const running = booted.current?.manifestDigest
  const known = [plan, accepted].find((each) => each?.image.manifestDigest === running)
  return running == null ? '' : (known?.image.version ?? '')
}

function localMoveOf({ moved }: State) {
  if (moved === undefined) return {}
  const { atMs, digest, ...move } = moved
  return { localMove: { ...move, atMs: BigInt(atMs), digest: digest ?? '' } }
}

function planOf(at: Position): AcceptedPlan | null {
  return 'plan' in at ? at.plan : null
}

function failureOf(at: Position): Failure | null {
  return 'failure' in at ? at.failure : null
}

/** The operation that moved the default is known; who else may have moved it is seen at the next start. */
function defaultDigestOf({ at, booted }: State): string {
  if (at.phase === 'Rebooting') return at.plan.image.digest
  return booted.default?.digest ?? ''
}

/** With what the checks say of the image that came back: the failed checks of the report are the other one's. */
function toFailure(at: Position, { code, message, evidence }: Failure) {
  const running = at.phase === 'RolledBack' && at.running.kind === 'Failed' ? at.running.failedChecks : []
  const found = running.map(({ name, detail }) => `running now, check ${name} failed: ${detail}`)
  return { code, message, evidence: [...evidence, ...found].slice(0, EVIDENCE_MAX).map(shorten) }
}

function shorten(line: string): string {
  return line.slice(0, EVIDENCE_LINE_MAX_LENGTH)
}
