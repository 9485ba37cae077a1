import type { AcceptedPlan } from '../../agent/update/types.ts'
import type { PlanIntent } from '../../controller/rollout/decision.ts'

/** A plan as it is published. */
export type SignedPlan = {
  readonly intent: PlanIntent
  readonly term: number
  readonly counter: number
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

/** As the agent's publisher sets them. */
const maxReboots = 4
const maxBytes = 64 * 1024 ** 3
const clockSkewMaxMs = 5 * 60 * 1000

/** What an agent accepts of plans that are signed and name it: the replay barrier of agent/plans/accept.ts. */
export function acceptPlan(plan: SignedPlan, last: AcceptedPlan | null, wallMs: number): AcceptedPlan | null {
  const { counter, expiresAtMs, intent, issuedAtMs, term } = plan
  if (last !== null && (term < last.term || counter <= last.counter)) return null
  if (issuedAtMs > wallMs + clockSkewMaxMs) return null
  if (expiresAtMs <= Math.max(wallMs, last?.issuedAtMs ?? 0)) return null
  if (last !== null && intent.fleet === last.fleet && intent.generation < last.generation) return null
  const { allow, attempt, activateUntilMs, deny, fleet, generation, health, image, rollout, stageUntilMs } =
    intent
  return {
    payloadSha256: `plan-${term}-${counter}`,
    fleet,
    rollout,
    generation,
    attempt,
    term,
    counter,
    issuedAtMs,
    image,
    stageUntilMs,
    activateUntilMs,
    health,
    limits: { maxReboots, maxBytes },
    deny,
    allow,
    ...(intent.resumed !== undefined && { resumed: intent.resumed }),
    ...(intent.kernelArguments !== undefined && { kernelArguments: intent.kernelArguments }),
  }
}
