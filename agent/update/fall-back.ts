import { finish } from './advance.ts'
import {
  NETWORK_ALONE,
  REACH_CONTROLLER,
  checksOf,
  lookedAgain,
  policyOfRunning,
  startChecks,
} from './health.ts'
import { NO_RETRY, deny, enter, hasImage, start } from './transition.ts'
import type {
  AcceptedPlan,
  Commit,
  Failure,
  FailedCheck,
  Judging,
  RolledBack,
  RollingBack,
  State,
  Step,
  Verifying,
} from './types.ts'

type Cause = { readonly plan: AcceptedPlan; readonly commit: Commit; readonly failure: Failure }

/** How long a network may take to answer after the way back. */
const NETWORK_GRACE_MS = 5 * 60 * 1000

/** Make the previous deployment what boots next. */
export function rollBack(state: State, { plan, commit: way, failure }: Cause, nowMs: number): Step {
  // The boots that the target used up are not taken from those of the way back.
  const commit = { ...way, rebootsUsed: Math.min(way.rebootsUsed, 1) }
  const at: RollingBack = { phase: 'RollingBack', plan, commit, failure, retry: NO_RETRY }
  return moveBack(enter(state, at, nowMs), at)
}

/** Where nothing was booted yet, there is nothing to be said against the image. */
export function moveBack(state: State, { commit, failure }: RollingBack): Step {
  const bad = commit.rebootsUsed === 0 ? null : `${failure.code}: ${failure.message}`
  return start(state, { kind: 'rollback', deploymentId: commit.previousDeploymentId, bad })
}

/** A failed verdict is final, and the image's fault where it was ours that was activated. */
export function unhealthy(state: State, at: Verifying, failure: Failure, nowMs: number): Step {
  const { plan, commit } = at
  if (commit === null) return finish(lookedAgain(state, 'Failed'), { phase: 'Failed', plan, failure }, nowMs)
  if (lostOnlyNetwork(failure.failedChecks)) {
    return rollBack(state, { plan, commit, failure: { ...failure, code: 'NetworkLost' } }, nowMs)
  }
  const denied = commit.sameImage === true ? state : deny(state, [plan.image.digest])
  return rollBack(denied, { plan, commit, failure }, nowMs)
}

function lostOnlyNetwork(failedChecks: readonly FailedCheck[]): boolean {
  return failedChecks.length > 0 && failedChecks.every(({ name }) => name === REACH_CONTROLLER)
}

/** The previous deployment is the default again: done when it runs, otherwise one reboot away. */
export function restored(state: State, at: RollingBack, nowMs: number): Step {
  const { plan, failure, commit } = at
  if (state.booted.current?.deploymentId !== commit.previousDeploymentId) return rebootBack(state, at, nowMs)
  // An activation that never got as far as a boot was no update, so there was nothing to come back from.
  if (commit.rebootsUsed === 0) return finish(state, { phase: 'Failed', plan, failure }, nowMs)
  if (failure.code === 'NetworkLost') return judge(state, { plan, failure }, nowMs)
  return rolledBack(state, { plan, failure }, nowMs)
}

function judge(state: State, { plan, failure }: Fallen, nowMs: number): Step {
  const deadlineMs = Math.min(NETWORK_GRACE_MS, plan.health.deadlineMs)
  const deadlineAtMs = nowMs + deadlineMs
  const at = { phase: 'Judging', plan, failure, deadlineAtMs } as const
  return probe(enter(state, at, nowMs), plan, deadlineMs)
}

/** Does the network answer here? */
export function probe(state: State, plan: AcceptedPlan, deadlineMs: number): Step {
  return startChecks(state, plan, { health: NETWORK_ALONE, stableForMs: 0, deadlineMs })
}

/** It is the image's fault only where the image before has a network again; otherwise nothing is known. */
export function judged(state: State, at: Judging, isReachable: boolean, nowMs: number): Step {
  const { plan, failure } = at
  const isSame = hasImage(state, plan)
  if (isReachable) {
    return rolledBack(isSame ? state : deny(state, [plan.image.digest]), { plan, failure }, nowMs)
  }
  const message = `${failure.message}; and the image before has no network either`
  return rolledBack(state, { plan, failure: { ...failure, code: 'Inconclusive', message } }, nowMs)
}

type Fallen = { readonly plan: AcceptedPlan; readonly failure: Failure }

/** The end of the attempt; where no other one follows, what came back is checked too. */
export function rolledBack(state: State, { plan, failure }: Fallen, nowMs: number): Step {
  const at: RolledBack = { phase: 'RolledBack', plan, failure, running: { kind: 'Unknown' } }
  const ended = finish(state, at, nowMs)
  return ended.next.at === at ? checkRunning(ended.next, at) : ended
}

export function checkRunning(state: State, { plan }: RolledBack): Step {
  const policy = policyOfRunning(state, plan.health)
  const { stableForMs, deadlineMs } = policy
  return startChecks(state, plan, { health: checksOf(policy, null), stableForMs, deadlineMs })
}

function rebootBack(state: State, at: RollingBack, nowMs: number): Step {
  const { rebootsUsed } = at.commit
  // The way back needs its own boot even where the plan allowed only one.
  if (rebootsUsed < Math.max(at.plan.limits.maxReboots, 2)) return start(state, { kind: 'reboot' })
  return rollbackFailed(state, at, `the previous deployment did not boot within ${rebootsUsed} boots`, nowMs)
}

export function rollbackFailed(state: State, at: RollingBack, found: string, nowMs: number): Step {
  const { plan, failure } = at
  const message = `${failure.message}; and ${found}`
  return finish(
    state,
    { phase: 'Failed', plan, failure: { ...failure, code: 'RollbackFailed', message } },
    nowMs,
  )
}
