import { finish } from './advance.ts'
import { NO_RETRY, deny, enter, start } from './transition.ts'
import type { AcceptedPlan, Commit, Failure, RollingBack, State, Step, Verifying } from './types.ts'

type Cause = { readonly plan: AcceptedPlan; readonly commit: Commit; readonly failure: Failure }

/** Make the previous deployment what boots next. */
export function rollBack(state: State, { plan, commit, failure }: Cause, nowMs: number): Step {
  const next = enter(state, { phase: 'RollingBack', plan, commit, failure, retry: NO_RETRY }, nowMs)
  return start(next, { kind: 'rollback', deploymentId: commit.previousDeploymentId })
}

/** A failed verdict is final, and the image's fault where it was ours that was activated. */
export function unhealthy(state: State, at: Verifying, failure: Failure, nowMs: number): Step {
  const { plan, commit } = at
  if (commit === null) return finish(state, { phase: 'Failed', plan, failure }, nowMs)
  return rollBack(deny(state, [plan.image.digest]), { plan, commit, failure }, nowMs)
}

/** The previous deployment is the default again: done when it runs, otherwise one reboot away. */
export function restored(state: State, at: RollingBack, nowMs: number): Step {
  const { plan, failure, commit } = at
  if (state.booted.current?.deploymentId !== commit.previousDeploymentId) return rebootBack(state, at, nowMs)
  // An activation that never got as far as a boot was no update, so there was nothing to come back from.
  const phase = commit.rebootsUsed === 0 ? 'Failed' : 'RolledBack'
  return finish(state, { phase, plan, failure }, nowMs)
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
