import { abandon, download, stage } from './advance.ts'
import { checksOf, startChecks } from './health.ts'
import { failureOf, mayActivate, mayStage, sameArguments, start } from './transition.ts'
import { moveBack, rollBack } from './fall-back.ts'
import type { Committing, Position, State, Step, Verifying } from './types.ts'

type Preparing = Extract<Position, { phase: 'Downloading' | 'Staging' }>
type Retrying = Extract<Position, { retry: unknown }>

/** Start the operation of the present phase again, after a retry's delay or a restart of the process. */
export function redo(state: State, at: Retrying | Verifying, nowMs: number): Step {
  switch (at.phase) {
    case 'Downloading':
    case 'Staging':
      return mayStage(state, at.plan, nowMs) ? prepareAgain(state, at, nowMs) : abandon(state, nowMs)
    case 'Activating':
      return activateAgain(state, at, nowMs)
    case 'Rebooting':
      return start(running(state, at), { kind: 'reboot' })
    case 'Blessing':
      return start(running(state, at), { kind: 'bless', deploymentId: at.commit.targetDeploymentId })
    case 'RollingBack':
      return moveBack(running(state, at), at)
    case 'Verifying': {
      const { health: policy } = at.plan
      const deadlineMs = leftUntil(at.deadlineAtMs, policy.deadlineMs, nowMs)
      const { stableForMs } = policy
      return startChecks(state, at.plan, { health: checksOf(policy, at.commit), stableForMs, deadlineMs })
    }
  }
}

/** A clock that was set back must not make the deadline longer than it was. */
export function leftUntil(deadlineAtMs: number, wholeMs: number, nowMs: number): number {
  return Math.min(wholeMs, Math.max(0, deadlineAtMs - nowMs))
}

function prepareAgain(state: State, at: Preparing, nowMs: number): Step {
  const again = at.phase === 'Downloading' ? download : stage
  const { next, effects } = again(state, at.plan, nowMs)
  return { next: running(next, at), effects }
}

/** The grant bounds the start of every try, and the newest plan of the same image with the same kernel arguments holds it. */
function activateAgain(state: State, at: Committing, nowMs: number): Step {
  const { accepted } = state
  const granted =
    accepted?.image.digest === at.plan.image.digest &&
    sameArguments(accepted.kernelArguments, at.plan.kernelArguments) &&
    mayActivate(state, accepted, nowMs)
  if (granted) {
    return start(running(state, at), { kind: 'activate', deploymentId: at.commit.targetDeploymentId })
  }
  const message = `activating ${at.commit.targetDeploymentId}: it failed ${at.retry.failures} times, and the grant is over`
  return rollBack(state, { ...at, failure: failureOf('ActivateFailed', message) }, nowMs)
}

/** Failures stay counted while the operation runs again. */
function running(state: State, at: Retrying): State {
  return { ...state, at: { ...at, retry: { failures: at.retry.failures, atMs: null } } }
}
