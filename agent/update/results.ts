import { advance, finish, verify } from './advance.ts'
import { backoffMs } from './backoff.ts'
import { belowFloor, proven } from './floor.ts'
import { lookedAgain } from './health.ts'
import { judged, restored, rollBack, rollbackFailed, unhealthy } from './fall-back.ts'
import { NO_RETRY, enter, failureOf, start, stay } from './transition.ts'
import type {
  AcceptedPlan,
  Commit,
  FailedCheck,
  FailedEvent,
  Position,
  ResultEvent,
  State,
  Step,
  Verifying,
} from './types.ts'

/** As many as a report may carry. */
const ETC_CONFLICTS_MAX = 64
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
      return at.phase === 'Downloading' ? downloaded(state, at, event, nowMs) : stay(state)
    case 'staged': {
      if (at.phase !== 'Staging') return stay(state)
      const { deploymentId: targetDeploymentId } = event
      const etcConflicts = event.etcConflicts.slice(0, ETC_CONFLICTS_MAX)
      const { lintFindings: _before, ...rest } = state
      const { lintFindings } = event
      const next = { ...rest, etcConflicts, ...(lintFindings !== undefined && { lintFindings }) }
      return advance(enter(next, { phase: 'Staged', plan: at.plan, targetDeploymentId }, nowMs), nowMs)
    }
    case 'activated':
      return at.phase === 'Activating'
        ? start(enter(state, { ...at, phase: 'Rebooting', retry: NO_RETRY }, nowMs), { kind: 'reboot' })
        : stay(state)
    case 'restored':
      return at.phase === 'RollingBack' ? restored(state, at, nowMs) : stay(state)
    case 'blessed':
      return at.phase === 'Blessing' ? blessed(state, at.plan, event.version, nowMs) : stay(state)
    case 'verdict':
      return onVerdict(state, event.failedChecks, nowMs)
    case 'failed':
      return onFailed(state, event, nowMs)
  }
}

type Downloading = Extract<Position, { phase: 'Downloading' | 'Staging' }>

type Downloaded = Extract<ResultEvent, { kind: 'downloaded' }>

function downloaded(state: State, at: Downloading, event: Downloaded, nowMs: number): Step {
  const { plan } = at
  const { manifestDigest, version = '' } = event
  if (manifestDigest === plan.image.manifestDigest) {
    const denial = deniedDowngrade(state, plan, version, nowMs)
    if (denial === null) return advance(enter(state, { phase: 'Ready', plan }, nowMs), nowMs)
    return finish(state, { phase: 'Failed', plan, failure: failureOf('DowngradeDenied', denial) }, nowMs)
  }
  const message = `pulling ${plan.image.digest}: got manifest ${manifestDigest}, and the plan names ${plan.image.manifestDigest}`
  return finish(state, { phase: 'Failed', plan, failure: failureOf('DigestMismatch', message) }, nowMs)
}

/** The plan's word for the version is the director's alone, whose key may be stolen. */
function deniedDowngrade(state: State, plan: AcceptedPlan, version: string, nowMs: number): string | null {
  const { guard, image, issuedAtMs } = plan
  if (guard === undefined) return null
  // A clock that was set back revives no permit.
  return belowFloor({ ...image, version }, state.floors ?? [], guard, Math.max(nowMs, issuedAtMs))
}

function onVerdict(state: State, failedChecks: readonly FailedCheck[], nowMs: number): Step {
  const { at } = state
  if (at.phase === 'Verifying') return verified(state, at, failedChecks, nowMs)
  if (at.phase === 'Judging') return judged(state, at, failedChecks.length === 0, nowMs)
  if (at.phase !== 'RolledBack') return stay(state)
  const running =
    failedChecks.length === 0 ? ({ kind: 'Passed' } as const) : ({ kind: 'Failed', failedChecks } as const)
  return stay({ ...lookedAgain(state, running.kind), at: { ...at, running } })
}

function verified(state: State, at: Verifying, failedChecks: readonly FailedCheck[], nowMs: number): Step {
  const [first] = failedChecks
  if (first !== undefined) {
    const message = `check ${first.name} failed: ${first.detail}`
    return unhealthy(state, at, { ...failureOf('HealthFailed', message), failedChecks }, nowMs)
  }
  const { plan, commit } = at
  if (commit === null) return healthy(state, plan, nowMs)
  const next = enter(state, { phase: 'Blessing', plan, commit, retry: NO_RETRY }, nowMs)
  return start(next, { kind: 'bless', deploymentId: commit.targetDeploymentId })
}

function blessed(state: State, plan: AcceptedPlan, version: string | undefined, nowMs: number): Step {
  const { manifestDigest } = plan.image
  const floors = proven(state.floors ?? [], { manifestDigest, version: version ?? '' }, plan.rollout)
  return healthy({ ...state, floors }, plan, nowMs)
}

/** What proved the image is asked of it again when it comes back after a fallback. */
function healthy(state: State, plan: AcceptedPlan, nowMs: number): Step {
  const proven = { manifestDigest: plan.image.manifestDigest, health: plan.health }
  return finish({ ...state, proven }, { phase: 'Healthy', plan }, nowMs)
}

function onFailed(state: State, event: FailedEvent, nowMs: number): Step {
  const { at } = state
  if ('retry' in at) return retry(state, at, event, nowMs) ?? giveUp(state, at, event, nowMs)
  switch (at.phase) {
    case 'Verifying':
      return unhealthy(state, at, failureOf('HealthFailed', event.message), nowMs)
    case 'Judging':
      return judged(state, at, false, nowMs)
    case 'RolledBack': {
      const failedChecks = [{ name: 'checks', detail: event.message }]
      return stay({
        ...lookedAgain(state, 'Failed'),
        at: { ...at, running: { kind: 'Failed', failedChecks } },
      })
    }
    case 'Idle':
    case 'Ready':
    case 'Staged':
    case 'Healthy':
    case 'Failed':
      return stay(state)
  }
}

function giveUp(state: State, at: Retrying, { code, message }: FailedEvent, nowMs: number): Step {
  const failure = failureOf(code, message)
  switch (at.phase) {
    case 'Downloading':
    case 'Staging':
      return finish(state, { phase: 'Failed', plan: at.plan, failure }, nowMs)
    case 'Activating':
    case 'Rebooting':
      // The default may have changed although the operation failed, so it is set back in any case.
      return rollBack(state, { plan: at.plan, commit: at.commit, failure }, nowMs)
    case 'Blessing':
      // The machine's fault, not the image's: it is not denied.
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
export function targetBooted(state: State, plan: AcceptedPlan, commit: Commit, nowMs: number): Step {
  if (commit.rebootsUsed <= plan.limits.maxReboots) return verify(state, plan, commit, nowMs)
  const message = `booting ${plan.image.digest}: ${commit.rebootsUsed} boots without a verdict, and the limit is ${plan.limits.maxReboots}`
  const at = { phase: 'Verifying', plan, commit, deadlineAtMs: nowMs } as const
  return unhealthy(state, at, failureOf('RebootLimit', message), nowMs)
}
