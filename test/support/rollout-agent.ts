import type { HostReport, PlanIntent, ResolvedImage } from '../../controller/rollout/types.ts'

export type Behaviour = 'good' | 'bad' | 'silent'

export type SimulatedAgent = {
  readonly hostId: string
  readonly refuses: Set<string>
  behaviour: Behaviour
  plan: PlanIntent | null
  phase: HostReport['phase']
  digest: string
  before: string
  boots: number
  checked: boolean
  /** What it runs fails its checks, until it booted anything else. */
  ill: boolean
}

export function imageOf(version: string): ResolvedImage {
  const digest = `sha256:${version.replaceAll('.', '').padEnd(64, '0')}`
  return { repository: 'os', digest, version, manifests: { amd64: `${digest.slice(0, -1)}a` } }
}

export function reportOf(agent: SimulatedAgent): HostReport {
  const { plan } = agent
  const failed = agent.phase === 'RolledBack' || agent.phase === 'RollingBack'
  return {
    plan: plan && {
      rollout: plan.rollout,
      generation: plan.generation,
      attempt: plan.attempt,
      term: 1,
      counter: 1,
    },
    phase: agent.phase,
    bootedDigest: agent.digest,
    bootedManifestDigest: `${agent.digest.slice(0, -1)}a`,
    targetDigest: plan?.image.digest ?? null,
    bootId: `${agent.hostId}-boot-${agent.boots}`,
    health: {
      verdict: verdictOf(agent),
      failedChecks: failed ? [{ name: 'web-up', detail: 'exit status 1' }] : [],
    },
    failure: null,
    architecture: 'amd64',
    deniedDigests: [...agent.refuses],
    phaseEnteredAtMs: 0,
  }
}

function verdictOf({ ill, phase }: SimulatedAgent): HostReport['health']['verdict'] {
  if (phase === 'Verifying') return 'Unknown'
  const isBefore = phase === 'Idle' || phase === 'Downloading' || phase === 'Staging' || phase === 'Staged'
  return phase === 'RollingBack' || (ill && isBefore) ? 'Failed' : 'Passed'
}

/** As the real agent: an older plan is refused; the same step again changes only its grants. */
export function receivePlan(agent: SimulatedAgent, intent: PlanIntent): void {
  if (agent.plan !== null && intent.generation < agent.plan.generation) return
  const isCommitted = ['Activating', 'Rebooting', 'Verifying', 'RollingBack'].includes(agent.phase)
  if (isCommitted) return
  const same =
    agent.plan?.rollout === intent.rollout &&
    agent.plan.attempt === intent.attempt &&
    agent.plan.image.digest === intent.image.digest
  agent.plan = intent
  if (same) return
  agent.phase = agent.digest === intent.image.digest ? 'Healthy' : 'Idle'
}

type Phase = SimulatedAgent['phase']

/** Moves that need nobody's leave. */
const following: Readonly<Partial<Record<Phase, Phase>>> = {
  Downloading: 'Staging',
  Ready: 'Staged',
  Staging: 'Staged',
  Activating: 'Rebooting',
}

/** What the agent does next, done to it; null when it must wait. `broken` digests fail their check. */
export function nextPhase(agent: SimulatedAgent, wallMs: number, broken: ReadonlySet<string>): Phase | null {
  const { phase, plan } = agent
  if (plan === null) return null
  if (phase === 'Rebooting' || phase === 'RollingBack') return reboot(agent, plan.image.digest)
  if (phase === 'Verifying') {
    return agent.behaviour === 'bad' || broken.has(agent.digest) ? 'RollingBack' : 'Healthy'
  }
  if (phase === 'Staged') return (plan.activateUntilMs ?? 0) > wallMs ? 'Activating' : null
  if (phase === 'Idle') return mayStage(agent, plan, wallMs) ? 'Downloading' : null
  return following[phase] ?? null
}

function mayStage(agent: SimulatedAgent, plan: PlanIntent, wallMs: number): boolean {
  return agent.digest !== plan.image.digest && (plan.stageUntilMs ?? 0) > wallMs
}

function reboot(agent: SimulatedAgent, target: string): Phase {
  agent.boots += 1
  agent.ill = false
  if (agent.phase === 'RollingBack') {
    agent.digest = agent.before
    agent.refuses.add(target)
    return 'RolledBack'
  }
  agent.before = agent.digest
  agent.digest = target
  return 'Verifying'
}
