import type { HostReport, LocalMove } from '../../controller/rollout/report.ts'
import type { PlanIntent } from '../../controller/rollout/decision.ts'
import type { ResolvedImage } from '../../controller/rollout/wanted.ts'

/** `cutOff`: reaches nobody after its next boot, falls back, and reaches nobody then either; once. */
export type Behaviour = 'good' | 'bad' | 'silent' | 'cutOff'

export type SimulatedAgent = {
  readonly hostId: string
  readonly architecture: string
  readonly refuses: Set<string>
  behaviour: Behaviour
  plan: PlanIntent | null
  phase: HostReport['phase']
  digest: string
  before: string
  boots: number
  /** On its kernel's line, and before its last boot; absent: an agent that knows nothing of them. */
  kernelArguments?: readonly string[]
  argumentsBefore?: readonly string[]
  checked: boolean
  /** What it runs fails its checks, until it booted anything else. */
  ill: boolean
  /** Its last fallback proved nothing. */
  undecided: boolean
  /** Its next so many attempts end so: DownloadFailed while it pulls, any other code while it stages. */
  failing: { readonly code: string; readonly times: number } | null
  /** By a person. */
  moved?: LocalMove | undefined
  /** Its boot loader counts no tries. */
  unguarded?: true
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
    bootedVersion: '',
    defaultDigest: null,
    targetDigest: plan?.image.digest ?? null,
    bootId: `${agent.hostId}-boot-${agent.boots}`,
    health: {
      verdict: verdictOf(agent),
      failedChecks: failed ? [{ name: 'web-up', detail: 'exit status 1' }] : [],
    },
    failure: failureOf(agent),
    architecture: agent.architecture,
    deniedDigests: [...agent.refuses],
    etcConflicts: [],
    ...(agent.kernelArguments !== undefined && { kernelArguments: agent.kernelArguments }),
    phaseEnteredAtMs: 0,
    ...(agent.moved !== undefined && { localMove: agent.moved }),
    ...(agent.unguarded !== undefined && { unguarded: agent.unguarded }),
  }
}

function failureOf({ failing, phase, undecided }: SimulatedAgent): HostReport['failure'] {
  if (undecided) return { code: 'Inconclusive', message: 'nobody answers', evidence: [] }
  if (phase !== 'Failed' || failing === null) return null
  return { code: failing.code, message: `could not do it: ${failing.code}`, evidence: [] }
}

function verdictOf({ ill, phase }: SimulatedAgent): HostReport['health']['verdict'] {
  if (phase === 'Verifying') return 'Unknown'
  const isBefore = phase === 'Idle' || phase === 'Downloading' || phase === 'Staging' || phase === 'Staged'
  return phase === 'RollingBack' || (ill && isBefore) ? 'Failed' : 'Passed'
}

/** As the real agent: an older plan of the same fleet is refused; the same step again changes only its grants. */
export function receivePlan(agent: SimulatedAgent, intent: PlanIntent): void {
  const { plan } = agent
  if (plan !== null && plan.fleet === intent.fleet && intent.generation < plan.generation) return
  // An agent from before cannot read such a plan, and tells nobody.
  if (agent.kernelArguments === undefined && intent.kernelArguments !== undefined) return
  const isCommitted = ['Activating', 'Rebooting', 'Verifying', 'RollingBack'].includes(agent.phase)
  if (isCommitted) return
  const same = isSameStep(agent.plan, intent)
  agent.plan = intent
  for (const digest of intent.deny) agent.refuses.add(digest)
  if (same) return
  for (const digest of intent.allow) if (!intent.deny.includes(digest)) agent.refuses.delete(digest)
  agent.undecided = false
  const { failing } = agent
  if (agent.phase === 'Failed' && failing !== null) agent.failing = { ...failing, times: failing.times - 1 }
  agent.phase = runs(agent, intent) ? 'Healthy' : 'Idle'
}

function isSameStep(plan: PlanIntent | null, intent: PlanIntent): boolean {
  return (
    plan?.rollout === intent.rollout &&
    plan.attempt === intent.attempt &&
    plan.image.digest === intent.image.digest
  )
}

type Phase = SimulatedAgent['phase']

const staging: Readonly<Partial<Record<Phase, Phase>>> = {
  Downloading: 'Staging',
  Ready: 'Staged',
  Staging: 'Staged',
}

/** What the agent does next, done to it; null when it must wait. `broken` digests fail their check. */
export function nextPhase(agent: SimulatedAgent, wallMs: number, broken: ReadonlySet<string>): Phase | null {
  const { phase, plan } = agent
  if (plan === null || (agent.moved !== undefined && plan.resumed !== agent.moved.id)) return null
  if (phase === 'Rebooting' || phase === 'RollingBack') return reboot(agent, plan)
  if (phase === 'Verifying') return passes(agent, broken) ? 'Healthy' : 'RollingBack'
  if (phase === 'Staged') return (plan.activateUntilMs ?? 0) > wallMs ? 'Activating' : null
  if (phase === 'Idle') return mayStage(agent, plan, wallMs) ? 'Downloading' : null
  if (phase === 'Activating') return 'Rebooting'
  return stages(agent, plan, wallMs)
}

/** Past its lease it puts the work away. */
function stages(agent: SimulatedAgent, plan: PlanIntent, wallMs: number): Phase | null {
  if ((plan.stageUntilMs ?? 0) <= wallMs) return agent.phase in staging ? 'Idle' : null
  return failsNow(agent) ? 'Failed' : (staging[agent.phase] ?? null)
}

function passes({ behaviour, digest }: SimulatedAgent, broken: ReadonlySet<string>): boolean {
  return behaviour !== 'bad' && behaviour !== 'cutOff' && !broken.has(digest)
}

function failsNow({ failing, phase }: SimulatedAgent): boolean {
  if (failing === null || failing.times <= 0) return false
  return phase === (failing.code === 'DownloadFailed' ? 'Downloading' : 'Staging')
}

function mayStage(agent: SimulatedAgent, plan: PlanIntent, wallMs: number): boolean {
  return !runs(agent, plan) && (plan.stageUntilMs ?? 0) > wallMs
}

function runs({ digest, kernelArguments = [] }: SimulatedAgent, plan: PlanIntent): boolean {
  return digest === plan.image.digest && kernelArguments.join(' ') === (plan.kernelArguments ?? []).join(' ')
}

function reboot(
  agent: SimulatedAgent,
  { image: { digest: target }, kernelArguments = [] }: PlanIntent,
): Phase {
  agent.boots += 1
  agent.ill = false
  if (agent.phase === 'RollingBack') {
    const isSameImage = agent.digest === agent.before
    agent.digest = agent.before
    if (agent.kernelArguments !== undefined) agent.kernelArguments = agent.argumentsBefore ?? []
    agent.undecided = agent.behaviour === 'cutOff'
    if (agent.undecided) agent.behaviour = 'good'
    else if (!isSameImage) agent.refuses.add(target)
    return 'RolledBack'
  }
  agent.before = agent.digest
  agent.digest = target
  agent.moved = undefined
  if (agent.kernelArguments !== undefined) {
    agent.argumentsBefore = agent.kernelArguments
    agent.kernelArguments = kernelArguments
  }
  return 'Verifying'
}
