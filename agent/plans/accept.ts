import type { KeyObject } from 'node:crypto'
import { openPlan } from '../../proto/envelope.ts'
import type { EnvelopeRefusal } from '../../proto/envelope.ts'
import { refusedKernelArgument } from '../../proto/kernel-arguments.ts'
import type { Plan } from '../../proto/plan.ts'
import { judgePlanned } from '../../proto/release-role.ts'
import type { ReleaseRole } from '../../proto/release-role.ts'

export type AcceptContext = {
  /** Of the trust bundle that this host holds. */
  readonly directorKeys: readonly KeyObject[]
  /** When that bundle expires; null for keys that came without one. */
  readonly trustExpiresAtMs: number | null
  /** Of that bundle; null: it names no release key, so an image needs no signature. */
  readonly release: ReleaseRole | null
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
  | 'TrustExpired'
  | 'OtherHost'
  | 'OlderTerm'
  | 'OlderCounter'
  | 'CounterReused'
  | 'CounterJump'
  | 'IssuedInFuture'
  | 'Expired'
  | 'OlderGeneration'
  | 'DigestForm'
  | 'ImageUnsigned'
  | 'KernelArgument'

export type Acceptance =
  | { readonly kind: 'accepted'; readonly plan: Plan; readonly payloadSha256: string }
  /** The very plan last accepted, byte for byte. */
  | { readonly kind: 'unchanged' }
  /** `plan` where a director signed it for this host and nothing but what it names is wrong. */
  | {
      readonly kind: 'refused'
      readonly refusal: PlanRefusal
      readonly detail: string
      readonly plan?: Plan
    }

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
  const { trustExpiresAtMs, nowMs, timeFloorMs } = context
  if (trustExpiresAtMs !== null && trustExpiresAtMs <= Math.max(nowMs, timeFloorMs)) {
    return refuse('TrustExpired', `trust bundle expired at ${new Date(trustExpiresAtMs).toISOString()}`)
  }
  if (plan.hostId !== context.hostId) return refuse('OtherHost', `it names host ${plan.hostId.slice(0, 64)}`)
  const repeated = judgeSequence(plan, payloadSha256, context.last)
  if (repeated !== null) return repeated
  return (
    judgeContent(plan, context) ??
    judgeImage(plan, context.release) ??
    judgeKernelArguments(plan) ?? { kind: 'accepted', plan, payloadSha256 }
  )
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

/**
 * The second key: what is signed is `digest`, which is also what is pulled, so that a manifest which is not part of it
 * never gets here. A plan that grants nothing can make the host boot nothing, and must always get through.
 */
function judgeImage(plan: Plan, release: ReleaseRole | null): Acceptance | null {
  if (release === null || (plan.stage === null && plan.activate === null)) return null
  const verdict = judgePlanned(plan.image, plan.signatures ?? [], release)
  if (verdict.kind === 'unsigned') return refuse('ImageUnsigned', verdict.message, plan)
  return null
}

/** Refused in git too; here it holds against whoever has a director's key. */
function judgeKernelArguments(plan: Plan): Acceptance | null {
  if (plan.stage === null && plan.activate === null) return null
  for (const argument of plan.kernelArguments ?? []) {
    const why = refusedKernelArgument(argument)
    if (why === null) continue
    return refuse('KernelArgument', `kernel argument ${JSON.stringify(argument)} ${why}`, plan)
  }
  return null
}

function refuse(refusal: PlanRefusal, detail: string, plan?: Plan): Acceptance {
  return { kind: 'refused', refusal, detail, ...(plan !== undefined && { plan }) }
}
