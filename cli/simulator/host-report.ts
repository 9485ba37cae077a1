import { verdictOnRunning } from '../../agent/update/health.ts'
import type { Failure, Phase, State } from '../../agent/update/types.ts'
import type { HostReport } from '../../controller/rollout/report.ts'

const phases: Readonly<Record<Phase, HostReport['phase']>> = {
  Idle: 'Idle',
  Downloading: 'Downloading',
  Ready: 'Ready',
  Staging: 'Staging',
  Staged: 'Staged',
  Activating: 'Activating',
  Rebooting: 'Rebooting',
  Verifying: 'Verifying',
  Blessing: 'Verifying',
  Healthy: 'Healthy',
  Failed: 'Failed',
  RollingBack: 'RollingBack',
  Judging: 'RollingBack',
  RolledBack: 'RolledBack',
}

/** What the agent's report says once the controller has read it: agent/report/report.ts and controller/grpc. */
export function reportOf(state: State, architecture: string): HostReport {
  const { at, booted } = state
  const plan = 'plan' in at ? at.plan : null
  const failure = 'failure' in at ? at.failure : null
  return {
    plan: referenceOf(state),
    phase: phases[at.phase],
    ...bootedOf(booted.current),
    defaultDigest: defaultOf(state),
    targetDigest: plan?.image.digest ?? null,
    bootId: booted.bootId,
    health: { verdict: verdictOnRunning(state), failedChecks: [...(failure?.failedChecks ?? [])] },
    failure: failure === null ? null : toldOf(failure),
    architecture,
    deniedDigests: [...state.deniedDigests],
    etcConflicts: [...state.etcConflicts],
    phaseEnteredAtMs: state.phaseEnteredAtMs,
    ...(state.moved !== undefined && { localMove: state.moved }),
  }
}

function bootedOf(
  current: State['booted']['current'],
): Pick<HostReport, 'bootedDigest' | 'bootedManifestDigest' | 'bootedVersion' | 'kernelArguments'> {
  return {
    bootedDigest: current?.digest ?? null,
    bootedManifestDigest: current?.manifestDigest ?? null,
    bootedVersion: '',
    kernelArguments: current?.kernelArguments ?? [],
  }
}

function defaultOf({ at, booted }: State): string | null {
  return at.phase === 'Rebooting' ? at.plan.image.digest : (booted.default?.digest ?? null)
}

function toldOf({ code, evidence, message }: Failure): NonNullable<HostReport['failure']> {
  return { code, message, evidence: [...evidence] }
}

function referenceOf({ accepted, at }: State): HostReport['plan'] {
  if (accepted === null) return null
  const { attempt, generation, rollout } = 'plan' in at ? at.plan : accepted
  return { rollout, generation, attempt, term: accepted.term, counter: accepted.counter }
}
