import { setTimeout as delay } from 'node:timers/promises'
import type { FailedCheck } from '../update/types.ts'

export type CheckOutcome =
  | { readonly kind: 'passed' }
  /** Worth a line in the log, and nothing else. */
  | { readonly kind: 'noted'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string; readonly final: boolean }

export type NamedCheck = {
  readonly name: string
  readonly run: (signal: AbortSignal) => Promise<CheckOutcome>
}

export type HealthRun = {
  readonly checks: readonly NamedCheck[]
  /** How long all checks must go on passing. */
  readonly stableForMs: number
  /** What is left until the verdict is Failed; 0 or less: it is, now. */
  readonly deadlineMs: number
  /** Between two rounds. */
  readonly intervalMs: number
  readonly onNoted: (name: string, detail: string) => void
  readonly signal: AbortSignal
}

const DETAIL_MAX_LENGTH = 256

/**
 * Run the checks in rounds until they passed for `stableForMs` (empty list), or the deadline passed or a check
 * failed for good (the checks that did not pass, in declared order). Time is measured by the monotonic clock: a host
 * sets its clock while it boots. Throws only when `signal` fires.
 */
export async function runChecks(run: HealthRun): Promise<readonly FailedCheck[]> {
  const deadline = new AbortController()
  // A timer of our own: a signal made by AbortSignal.timeout may be collected before it fires.
  const timer = setTimeout(() => deadline.abort(), Math.max(0, run.deadlineMs))
  try {
    return await runRounds(run, deadline.signal)
  } finally {
    clearTimeout(timer)
  }
}

async function runRounds(run: HealthRun, deadline: AbortSignal): Promise<readonly FailedCheck[]> {
  const signal = AbortSignal.any([run.signal, deadline])
  const endsAtMs = performance.now() + run.deadlineMs
  let stableSinceMs: number | null = null
  let failed: readonly FailedCheck[] = []
  const last: LastOutcomes = new Map()
  while (performance.now() < endsAtMs && !deadline.aborted) {
    const round = await runRound(run, signal, last)
    run.signal.throwIfAborted()
    failed = round.failed
    if (round.final) return failed
    if (round.isCut) break
    const nowMs = performance.now()
    stableSinceMs = failed.length > 0 ? null : (stableSinceMs ?? nowMs)
    if (stableSinceMs !== null && nowMs - stableSinceMs >= run.stableForMs) return []
    await pause(run, stableSinceMs, signal)
    run.signal.throwIfAborted()
  }
  return failed.length > 0 ? failed : [{ name: 'stable', detail: unstable(run) }]
}

const UNENDED: CheckOutcome = { kind: 'failed', detail: 'no end before the deadline', final: false }
const UNTRIED: CheckOutcome = { kind: 'failed', detail: 'not run before the deadline', final: false }

/** What each check last came to, by its name: it counts where the deadline cuts the check off. */
type LastOutcomes = Map<string, CheckOutcome>

type Round = { readonly failed: readonly FailedCheck[]; readonly final: boolean; readonly isCut: boolean }

async function runRound(run: HealthRun, signal: AbortSignal, last: LastOutcomes): Promise<Round> {
  const failed: FailedCheck[] = []
  let final = false
  let isCut = false
  for (const { name, run: runCheck } of run.checks) {
    const isTooLate = signal.aborted
    const ended = isTooLate
      ? null
      : await runCheck(signal).catch((error: unknown) => toFailure(error, signal))
    isCut ||= ended === null
    const outcome = ended ?? last.get(name) ?? (isTooLate ? UNTRIED : UNENDED)
    last.set(name, outcome)
    if (outcome.kind === 'passed') continue
    if (outcome.kind === 'noted') {
      run.onNoted(name, outcome.detail)
      continue
    }
    failed.push({ name, detail: outcome.detail.slice(0, DETAIL_MAX_LENGTH) })
    final ||= outcome.final
  }
  return { failed, final, isCut }
}

/** Null: it was cut off. */
function toFailure(error: unknown, { aborted }: AbortSignal): CheckOutcome | null {
  if (aborted) return null
  const found = error instanceof Error ? error.message : String(error)
  return { kind: 'failed', detail: found, final: false }
}

async function pause(run: HealthRun, stableSinceMs: number | null, signal: AbortSignal): Promise<void> {
  const untilStableMs =
    stableSinceMs === null ? run.intervalMs : stableSinceMs + run.stableForMs - performance.now()
  const waitMs = Math.min(run.intervalMs, Math.max(1, untilStableMs))
  await delay(waitMs, undefined, { signal }).catch(() => {})
}

function unstable(run: HealthRun): string {
  return `no verdict before the deadline: checks must pass for ${run.stableForMs} ms`
}
