import { abandon, download, stage } from './advance.ts'
import { mayActivate, mayStage, start } from './transition.ts'
import { rollBack } from './fall-back.ts'
import type { Committing, Position, State, Step, Verifying } from './types.ts'

type Preparing = Extract<Position, { phase: 'Downloading' | 'Staging' }>
type Retrying = Extract<Position, { retry: unknown }>

/** Start the operation of the present phase again, after a retry's delay or a restart of the process. */
export function redo(state: State, at: Retrying | Verifying, nowMs: number): Step {
  switch (at.phase) {
    case 'Downloading':
    case 'Staging':
      return mayStage(at.plan, nowMs) ? prepareAgain(state, at, nowMs) : abandon(state, nowMs)
    case 'Activating':
      return activateAgain(state, at, nowMs)
    case 'Rebooting':
      return start(running(state, at), { kind: 'reboot' })
    case 'RollingBack':
      return start(running(state, at), { kind: 'rollback', deploymentId: at.commit.previousDeploymentId })
    case 'Verifying': {
      const { checks, stableForMs, deadlineMs: wholeMs } = at.plan.health
      // A clock that was set back must not make the deadline longer than it was.
      const deadlineMs = Math.min(wholeMs, Math.max(0, at.deadlineAtMs - nowMs))
      return start(state, { kind: 'checkHealth', checks, stableForMs, deadlineMs })
    }
  }
}

function prepareAgain(state: State, at: Preparing, nowMs: number): Step {
  const again = at.phase === 'Downloading' ? download : stage
  const { next, effects } = again(state, at.plan, nowMs)
  return { next: running(next, at), effects }
}

/** The grant bounds the start of every try, and the newest plan of the same image holds it. */
function activateAgain(state: State, at: Committing, nowMs: number): Step {
  const granted = state.accepted?.image.digest === at.plan.image.digest && mayActivate(state.accepted, nowMs)
  if (granted) {
    return start(running(state, at), { kind: 'activate', deploymentId: at.commit.targetDeploymentId })
  }
  const message = `activating ${at.commit.targetDeploymentId}: it failed ${at.retry.failures} times, and the grant is over`
  return rollBack(state, { ...at, failure: { code: 'ActivateFailed', message, failedChecks: [] } }, nowMs)
}

/** Failures stay counted while the operation runs again. */
function running(state: State, at: Retrying): State {
  return { ...state, at: { ...at, retry: { failures: at.retry.failures, atMs: null } } }
}
