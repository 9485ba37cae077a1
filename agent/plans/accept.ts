import type { KeyObject } from 'node:crypto'
import { openPlan } from '../../proto/envelope.ts'
import type { EnvelopeRefusal } from '../../proto/envelope.ts'
import type { Plan } from '../../proto/plan.ts'

export type AcceptContext = {
  readonly directorKeys: readonly KeyObject[]
  readonly hostId: string
  /** The plan last accepted; null before the first. */
  readonly last: {
    readonly fleet: string
    readonly generation: number
    readonly term: number
    readonly counter: number
    readonly payloadSha256: string
  } | null
  readonly nowMs: number
  /** Newest instant known from signed things, so that a clock set back revives no expired plan. */
  readonly timeFloorMs: number
}

export type PlanRefusal =
  | EnvelopeRefusal
  | 'OtherHost'
  | 'OlderTerm'
  | 'OlderCounter'
  | 'CounterReused'
  | 'CounterJump'
  | 'IssuedInFuture'
  | 'Expired'
  | 'OlderGeneration'
  | 'DigestForm'

export type Acceptance =
  | { readonly kind: 'accepted'; readonly plan: Plan; readonly payloadSha256: string }
  /** The very plan last accepted, byte for byte. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly refusal: PlanRefusal; readonly detail: string }

const COUNTER_JUMP_MAX = 1_000_000
const CLOCK_SKEW_MAX_MS = 5 * 60 * 1000
/** Host, optional port, path; no tag and no digest, for the digest stands apart. */
const REPOSITORY = /^[a-z0-9]+(?:[.-][a-z0-9]+)*(?::[0-9]{1,5})?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+$/

/**
 * May this host follow these bytes? Checks in a fixed order and names the first that fails; pure, and never
 * throws on hostile input. What it accepted must be on disk before anything is done about it.
 */
export function accept(bytes: Uint8Array, context: AcceptContext): Acceptance {
  const opened = openPlan(bytes, context.directorKeys)
  if (opened.kind === 'refused') return opened
  const { plan, payloadSha256 } = opened
  if (plan.hostId !== context.hostId) return refuse('OtherHost', `it names host ${plan.hostId.slice(0, 64)}`)
  const repeated = judgeSequence(plan, payloadSha256, context.last)
  if (repeated !== null) return repeated
  return judgeContent(plan, context) ?? { kind: 'accepted', plan, payloadSha256 }
}

/** Replay barrier: a term never shrinks, and every counter is used for one plan only. */
function judgeSequence(plan: Plan, payloadSha256: string, last: AcceptContext['last']): Acceptance | null {
  if (last !== null && plan.term < last.term) {
    return refuse('OlderTerm', `term ${plan.term}, and ${last.term} was accepted`)
  }
  const lastCounter = last?.counter ?? 0
  if (plan.counter < lastCounter) {
    return refuse('OlderCounter', `counter ${plan.counter}, and ${lastCounter} was accepted`)
  }
  if (plan.counter === lastCounter) {
    return payloadSha256 === last?.payloadSha256
      ? { kind: 'unchanged' }
      : refuse('CounterReused', `counter ${plan.counter} was accepted with other content`)
  }
  if (plan.counter - lastCounter > COUNTER_JUMP_MAX) {
    return refuse('CounterJump', `counter ${plan.counter} after ${lastCounter}`)
  }
  return null
}

function judgeContent(plan: Plan, { last, nowMs, timeFloorMs }: AcceptContext): Acceptance | null {
  if (Date.parse(plan.issuedAt) > nowMs + CLOCK_SKEW_MAX_MS) {
    return refuse('IssuedInFuture', `issued at ${plan.issuedAt}; check this host's clock`)
  }
  if (Date.parse(plan.expiresAt) <= Math.max(nowMs, timeFloorMs)) {
    return refuse('Expired', `expired at ${plan.expiresAt}`)
  }
  if (last !== null && plan.fleet === last.fleet && plan.generation < last.generation) {
    return refuse('OlderGeneration', `generation ${plan.generation}, and ${last.generation} was accepted`)
  }
  if (!REPOSITORY.test(plan.image.repository)) {
    return refuse('DigestForm', `repository ${JSON.stringify(plan.image.repository.slice(0, 100))}`)
  }
  return null
}

function refuse(refusal: PlanRefusal, detail: string): Acceptance {
  return { kind: 'refused', refusal, detail }
}
