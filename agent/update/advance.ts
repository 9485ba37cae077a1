import { checksOf, reachableAt, startChecks } from './health.ts'
import {
  NO_RETRY,
  enter,
  failureOf,
  hasImage,
  mayActivate,
  mayStage,
  runs,
  sameArguments,
  sameStep,
  start,
  stay,
} from './transition.ts'
import type { AcceptedPlan, Commit, Position, State, Step, Verifying } from './types.ts'

/** Take the next step that the accepted plan grants; from the commit point on the plan has no say. */
export function advance(state: State, nowMs: number): Step {
  const { at, accepted: plan } = state
  if (plan === null) return stay(state)
  if ('retry' in at && 'commit' in at) return stay(state)
  switch (at.phase) {
    case 'Idle':
      return begin(state, plan, nowMs)
    case 'Healthy':
    case 'Failed':
    case 'RolledBack':
      return beginAfter(state, at, plan, nowMs)
    case 'Downloading':
    case 'Staging':
    case 'Ready':
    case 'Staged':
      return proceed(state, at, plan, nowMs)
    case 'Verifying':
      return takeOver(state, at, plan, nowMs)
    case 'Judging':
      return stay(state)
  }
}

type Ended = Extract<Position, { phase: 'Healthy' | 'Failed' | 'RolledBack' }>

function beginAfter(state: State, at: Ended, plan: AcceptedPlan, nowMs: number): Step {
  if (sameStep(at.plan, plan)) return stay(state)
  const isChecking = at.phase === 'RolledBack' && at.running.kind === 'Unknown'
  return isChecking ? abandon(state, nowMs) : begin(state, plan, nowMs)
}

/** Without an activation of ours nothing is in the balance, and another step may come in between. */
function takeOver(state: State, at: Verifying, plan: AcceptedPlan, nowMs: number): Step {
  return at.commit !== null || sameStep(at.plan, plan) ? stay(state) : abandon(state, nowMs)
}

type Preparing = Extract<Position, { phase: 'Downloading' | 'Staging' | 'Ready' | 'Staged' }>

function proceed(state: State, at: Preparing, plan: AcceptedPlan, nowMs: number): Step {
  const { digest } = plan.image
  const isSame =
    digest === at.plan.image.digest && sameArguments(at.plan.kernelArguments, plan.kernelArguments)
  if (!isSame || state.deniedDigests.includes(digest)) return abandon(state, nowMs)
  const next = { ...state, at: { ...at, plan } }
  switch (at.phase) {
    case 'Downloading':
    case 'Staging':
      return mayStage(state, plan, nowMs) ? stay(next) : abandon(state, nowMs)
    case 'Ready':
      return mayStage(state, plan, nowMs) ? stage(next, plan, nowMs) : stay(next)
    case 'Staged':
      return mayActivate(state, plan, nowMs) ? activate(next, plan, at.targetDeploymentId, nowMs) : stay(next)
  }
}

/** End the step; a newer plan may have come since its commit point. */
export function finish(state: State, at: Ended, nowMs: number): Step {
  return advance(enter(state, at, nowMs), nowMs)
}

/** Drop what is being prepared, and start over from what the accepted plan says now. */
export function abandon(state: State, nowMs: number): Step {
  const forgotten = start(enter(state, { phase: 'Idle' }, nowMs), { kind: 'forget' })
  const begun = advance(forgotten.next, nowMs)
  return { next: begun.next, effects: [...forgotten.effects, ...begun.effects] }
}

function begin(state: State, plan: AcceptedPlan, nowMs: number): Step {
  const { image } = plan
  if (state.deniedDigests.includes(image.digest)) {
    const message = `running ${image.digest}: it failed here before or is denied; name another image`
    const failure = failureOf('DeniedDigest', message)
    return stay(enter(state, { phase: 'Failed', plan, failure }, nowMs))
  }
  if (runs(state, plan)) return verify(state, plan, null, nowMs)
  return mayStage(state, plan, nowMs)
    ? download(state, plan, nowMs)
    : stay(enter(state, { phase: 'Idle' }, nowMs))
}

export function download(state: State, plan: AcceptedPlan, nowMs: number): Step {
  const next = enter(state, { phase: 'Downloading', plan, retry: NO_RETRY }, nowMs)
  return start(next, { kind: 'pull', image: plan.image, maxBytes: plan.limits.maxBytes })
}

export function stage(state: State, plan: AcceptedPlan, nowMs: number): Step {
  const next = enter(state, { phase: 'Staging', plan, retry: NO_RETRY }, nowMs)
  const { image, kernelArguments, limits, lint = null } = plan
  const wanted = kernelArguments === undefined ? {} : { kernelArguments }
  return start(next, { kind: 'stage', image, maxBytes: limits.maxBytes, lint, ...wanted })
}

function activate(state: State, plan: AcceptedPlan, targetDeploymentId: string, nowMs: number): Step {
  const { current, bootId } = state.booted
  if (current === null) {
    const message = `activating ${plan.image.digest}: what runs now is no deployment, so nothing could be fallen back to`
    const failure = failureOf('NoFallback', message)
    return stay(enter(state, { phase: 'Failed', plan, failure }, nowMs))
  }
  const commit = {
    targetDeploymentId,
    previousDeploymentId: current.deploymentId,
    bootId,
    rebootsUsed: 0,
    reachableAtMs: reachableAt(state, nowMs),
    ...(hasImage(state, plan) && { sameImage: true as const }),
  }
  const next = enter(state, { phase: 'Activating', plan, commit, retry: NO_RETRY }, nowMs)
  return start(next, { kind: 'activate', deploymentId: targetDeploymentId })
}

/** `commit` is null where the image ran already. The deadline counts from the boot, that is from here. */
export function verify(state: State, plan: AcceptedPlan, commit: Commit | null, nowMs: number): Step {
  const { stableForMs, deadlineMs } = plan.health
  const deadlineAtMs = nowMs + deadlineMs
  const next = enter(state, { phase: 'Verifying', plan, commit, deadlineAtMs }, nowMs)
  return startChecks(next, plan, { health: checksOf(plan.health, commit), stableForMs, deadlineMs })
}
