import { create } from '@bufbuild/protobuf'
import { Phase, ReportSchema, Verdict } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { AcceptedPlan, Failure, Position, State, Phase as MachinePhase } from '../update/types.ts'

export type HostDescription = {
  readonly hostName: string
  readonly architecture: string
  readonly osId: string
  readonly osVersion: string
  readonly agentVersion: string
  readonly driver: string
}

const PHASES: Readonly<Record<MachinePhase, Phase>> = {
  Idle: Phase.IDLE,
  Downloading: Phase.DOWNLOADING,
  Ready: Phase.READY,
  Staging: Phase.STAGING,
  Staged: Phase.STAGED,
  Activating: Phase.ACTIVATING,
  Rebooting: Phase.REBOOTING,
  Verifying: Phase.VERIFYING,
  Healthy: Phase.HEALTHY,
  Failed: Phase.FAILED,
  RollingBack: Phase.ROLLING_BACK,
  RolledBack: Phase.ROLLED_BACK,
}

/** What the host says about itself, whole. */
export function toReport(state: State, host: HostDescription): Report {
  const plan = planOf(state.at)
  const failure = failureOf(state.at)
  const reference = referenceTo(state.accepted, plan)
  return create(ReportSchema, {
    hostName: host.hostName,
    ...(reference === null ? {} : { plan: reference }),
    phase: PHASES[state.at.phase],
    bootedDigest: state.booted.current?.digest ?? '',
    bootedManifestDigest: state.booted.current?.manifestDigest ?? '',
    targetDigest: plan?.image.digest ?? '',
    bootId: state.booted.bootId,
    health: { verdict: verdictOf(state.at, failure), failedChecks: [...(failure?.failedChecks ?? [])] },
    ...(failure === null ? {} : { failure: { code: failure.code, message: failure.message } }),
    facts: {
      architecture: host.architecture,
      osId: host.osId,
      osVersion: host.osVersion,
      agentVersion: host.agentVersion,
      driver: host.driver,
    },
    deniedDigests: [...state.deniedDigests],
    phaseEnteredAtMs: BigInt(state.phaseEnteredAtMs),
  })
}

/**
 * The step is the one the phase belongs to, which past the commit point may be older than the plan last
 * accepted; term and counter are the replay barrier and so always the newest.
 */
function referenceTo(accepted: AcceptedPlan | null, plan: AcceptedPlan | null) {
  if (accepted === null) return null
  const { rollout, generation, attempt } = plan ?? accepted
  const { term, counter } = accepted
  return { rollout, generation: BigInt(generation), attempt, term: BigInt(term), counter: BigInt(counter) }
}

function planOf(at: Position): AcceptedPlan | null {
  return 'plan' in at ? at.plan : null
}

function failureOf(at: Position): Failure | null {
  return 'failure' in at ? at.failure : null
}

function verdictOf(at: Position, failure: Failure | null): Verdict {
  if (at.phase === 'Healthy') return Verdict.PASSED
  return failure !== null && failure.failedChecks.length > 0 ? Verdict.FAILED : Verdict.UNKNOWN
}
