import type { AcceptedPlan, Failure, Position, Retry, State, Step, Work } from './types.ts'

/** As many as a report may carry; more, and the controller would not read it at all. */
const DENIED_DIGESTS_MAX = 256
/** As for accepting a plan: a clock further behind than this is not believed. */
const CLOCK_SKEW_MAX_MS = 5 * 60 * 1000

export const NO_RETRY: Retry = { failures: 0, atMs: null }

export function stay(next: State): Step {
  return { next, effects: [] }
}

export function enter(state: State, at: Position, nowMs: number): State {
  const phaseEnteredAtMs = at.phase === state.at.phase ? state.phaseEnteredAtMs : nowMs
  return { ...state, at, phaseEnteredAtMs }
}

export function failureOf(code: string, message: string): Failure {
  return { code, message, failedChecks: [], evidence: [] }
}

/** Start an operation; whatever an older one still says is void from here on. */
export function start(state: State, work: Work): Step {
  const operation = state.operation + 1
  return { next: { ...state, operation }, effects: [{ ...work, operation }] }
}

/** Past the limit the oldest are forgotten: a plan repeats its fleet's, and an image that old is not granted again. */
export function deny(state: State, digests: readonly string[]): State {
  const fresh = digests.filter((digest) => !state.deniedDigests.includes(digest))
  if (fresh.length === 0) return state
  const deniedDigests = [...state.deniedDigests, ...new Set(fresh)].slice(-DENIED_DIGESTS_MAX)
  return { ...state, deniedDigests }
}

/** Only where a step begins: what fails in it must not be allowed again by a repetition of its plan. */
export function allow(state: State, plan: AcceptedPlan): State {
  const allowed = plan.allow ?? []
  if (state.accepted !== null && sameStep(state.accepted, plan)) return state
  const deniedDigests = state.deniedDigests.filter((digest) => !allowed.includes(digest))
  return deniedDigests.length === state.deniedDigests.length ? state : { ...state, deniedDigests }
}

/** A person chose what boots, and no plan says yet that it may choose again. */
export function isHeldOff({ moved }: State, plan: AcceptedPlan): boolean {
  return moved !== undefined && plan.resumed !== moved.id
}

export function mayStage(state: State, plan: AcceptedPlan, nowMs: number): boolean {
  return !isHeldOff(state, plan) && plan.stageUntilMs !== null && nowMs < plan.stageUntilMs
}

/** A clock that was set back behind the plan itself cannot tell whether its lease is over. */
export function mayActivate(state: State, plan: AcceptedPlan, nowMs: number): boolean {
  if (isHeldOff(state, plan)) return false
  if (nowMs + CLOCK_SKEW_MAX_MS < plan.issuedAtMs) return false
  return plan.activateUntilMs !== null && nowMs < plan.activateUntilMs
}

export function runs(state: State, plan: AcceptedPlan): boolean {
  return hasImage(state, plan) && sameArguments(state.booted.current?.kernelArguments, plan.kernelArguments)
}

export function hasImage({ booted }: State, plan: AcceptedPlan): boolean {
  return booted.current?.manifestDigest === plan.image.manifestDigest
}

/** None is the same as an empty list; the order counts, for the kernel goes by it. */
export function sameArguments(one: readonly string[] = [], other: readonly string[] = []): boolean {
  return one.join(' ') === other.join(' ')
}

/** An activation is in the balance: what comes up is its verdict, whatever that is. */
export function awaitsVerdict({ at }: State): boolean {
  return 'commit' in at && at.commit !== null
}

/** A step is retried only by a plan that says it is another attempt. */
export function sameStep(one: AcceptedPlan, other: AcceptedPlan): boolean {
  return (
    one.rollout === other.rollout &&
    one.generation === other.generation &&
    one.attempt === other.attempt &&
    one.image.digest === other.image.digest &&
    sameArguments(one.kernelArguments, other.kernelArguments)
  )
}
