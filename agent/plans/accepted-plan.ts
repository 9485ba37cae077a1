import type { Plan } from '../../proto/plan.ts'
import type { AcceptedPlan } from '../update/types.ts'

/** What the update machine keeps of a plan. */
export function toAcceptedPlan(plan: Plan, payloadSha256: string): AcceptedPlan {
  const { fleet, rollout, generation, attempt, term, counter, image, health, limits, deny } = plan
  return {
    payloadSha256,
    fleet,
    rollout,
    generation,
    attempt,
    term,
    counter,
    image,
    health,
    limits,
    deny,
    issuedAtMs: Date.parse(plan.issuedAt),
    stageUntilMs: plan.stage === null ? null : Date.parse(plan.stage.until),
    activateUntilMs: plan.activate === null ? null : Date.parse(plan.activate.until),
  }
}
