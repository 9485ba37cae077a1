import type { PlanIntent } from '../../controller/rollout/decision.ts'
import type { SignedPlan } from './plan-intake.ts'

/** As controller/plans has it. */
const lifeMs = 24 * 60 * 60 * 1000

export type Stamp = {
  readonly term: number
  readonly wallMs: number
  /** What the host says it accepted. */
  readonly acceptedCounter: number
}

/** Null when the host's last plan says the same, and for long enough: see controller/plans/publisher.ts. */
export function sign(intent: PlanIntent, last: SignedPlan | undefined, stamp: Stamp): SignedPlan | null {
  const { acceptedCounter, term, wallMs } = stamp
  const counter = last?.counter ?? 0
  const isSame = last !== undefined && last.term === term && saysSame(last.intent, intent)
  if (isSame && !isStale(last, wallMs) && acceptedCounter <= counter) return null
  return {
    intent,
    term,
    counter: Math.max(counter, acceptedCounter) + 1,
    issuedAtMs: wallMs,
    expiresAtMs: wallMs + lifeMs,
  }
}

export function isStale(plan: SignedPlan, wallMs: number): boolean {
  return plan.expiresAtMs - wallMs < lifeMs / 2
}

function saysSame(one: PlanIntent, other: PlanIntent): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other)
}
