import { advance, finish, verify } from './advance.ts'
import { backoffMs } from './backoff.ts'
import { restored, rollBack, rollbackFailed, unhealthy } from './fall-back.ts'
import { NO_RETRY, enter, start, stay } from './transition.ts'
import type { Failure, FailedCheck, FailedEvent, Position, ResultEvent, State, Step } from './types.ts'

const BACKOFF = { baseMs: 1_000, maxMs: 60_000 }
const FAILURES_MAX = 5
/** Coming back is worth more patience than going forward. */
const ROLLBACK_FAILURES_MAX = 20

/** A result of the operation that runs; one that does not belong to the phase changes nothing. */
export function onResult(state: State, event: ResultEvent, nowMs: number): Step {
  const { at } = state
  if (event.operation !== state.operation) return stay(state)
  switch (event.kind) {
    case 'downloaded':
      return at.phase === 'Downloading' ? downloaded(state, at, event.manifestDigest, nowMs) : stay(state)
    case 'staged': {
      if (at.phase !== 'Staging') return stay(state)
      const { deploymentId: targetDeploymentId } = event
      return advance(enter(state, { phase: 'Staged', plan: at.plan, targetDeploymentId }, nowMs), nowMs)
    }
    case 'activated':
      return at.phase === 'Activating'
        ? start(enter(state, { ...at, phase: 'Rebooting', retry: NO_RETRY }, nowMs), { kind: 'reboot' })
        : stay(state)
    case 'restored':
      return at.phase === 'RollingBack' ? restored(state, at, nowMs) : stay(state)
    case 'verdict':
      return at.phase === 'Verifying' ? onVerdict(state, at, event.failedChecks, nowMs) : stay(state)
    case 'failed':
      return onFailed(state, event, nowMs)
  }
}

type Downloading = Extract<Position, { phase: 'Downloading' | 'Staging' }>

function downloaded(state: State, at: Downloading, manifestDigest: string, nowMs: number): Step {
  const { plan } = at
  if (manifestDigest === plan.image.manifestDigest) {
    return advance(enter(state, { phase: 'Ready', plan }, nowMs), nowMs)
  }
  const message = `pulling ${plan.image.digest}: got manifest ${manifestDigest}, and the plan names ${plan.image.manifestDigest}`
  const failure = { code: 'DigestMismatch', message, failedChecks: [] }
  return finish(state, { phase: 'Failed', plan, failure }, nowMs)
}

function onVerdict(
  state: State,
  at: Parameters<typeof unhealthy>[1],
  failedChecks: readonly FailedCheck[],
  nowMs: number,
): Step {
  const [first] = failedChecks
  if (first !== undefined) {
    const message = `check ${first.name} failed: ${first.detail}`
    return unhealthy(state, at, { code: 'HealthFailed', message, failedChecks }, nowMs)
  }
  return finish(state, { phase: 'Healthy', plan: at.plan }, nowMs)
}

function onFailed(state: State, event: FailedEvent, nowMs: number): Step {
  const { at } = state
  switch (at.phase) {
    case 'Downloading':
    case 'Staging':
    case 'Activating':
    case 'Rebooting':
    case 'RollingBack':
      return retry(state, at, event, nowMs) ?? giveUp(state, at, event, nowMs)
    case 'Verifying': {
      const { message } = event
      return unhealthy(state, at, { code: 'HealthFailed', message, failedChecks: [] }, nowMs)
    }
    case 'Idle':
    case 'Ready':
    case 'Staged':
    case 'Healthy':
    case 'Failed':
    case 'RolledBack':
      return stay(state)
  }
}

function giveUp(state: State, at: Retrying, { code, message }: FailedEvent, nowMs: number): Step {
  const failure: Failure = { code, message, failedChecks: [] }
  switch (at.phase) {
    case 'Downloading':
    case 'Staging':
      return finish(state, { phase: 'Failed', plan: at.plan, failure }, nowMs)
    case 'Activating':
    case 'Rebooting':
      // The default may have changed although the operation failed, so it is set back in any case.
      return rollBack(state, { plan: at.plan, commit: at.commit, failure }, nowMs)
    case 'RollingBack':
      return rollbackFailed(state, at, `coming back failed: ${message}`, nowMs)
  }
}

type Retrying = Extract<Position, { retry: unknown }>

/** Wait before the same operation again; null when it is not worth it. */
function retry(state: State, at: Retrying, event: FailedEvent, nowMs: number): Step | null {
  const failures = at.retry.failures + 1
  const failuresMax = at.phase === 'RollingBack' ? ROLLBACK_FAILURES_MAX : FAILURES_MAX
  const worthIt = event.retryable || at.phase === 'RollingBack'
  if (!worthIt || failures >= failuresMax) return null
  const atMs = nowMs + backoffMs(failures, event.random, BACKOFF)
  return stay({ ...state, at: { ...at, retry: { failures, atMs } } })
}

/** The host runs the target under a new boot id. */
export function targetBooted(
  state: State,
  at: Extract<Position, { commit: unknown }>,
  commit: NonNullable<(typeof at)['commit']>,
  nowMs: number,
): Step {
  const { plan } = at
  if (commit.rebootsUsed <= plan.limits.maxReboots) return verify(state, plan, commit, nowMs)
  const message = `booting ${plan.image.digest}: ${commit.rebootsUsed} boots without a verdict, and the limit is ${plan.limits.maxReboots}`
  const failure = { code: 'RebootLimit', message, failedChecks: [] }
  return unhealthy(state, { phase: 'Verifying', plan, commit, deadlineAtMs: nowMs }, failure, nowMs)
}
