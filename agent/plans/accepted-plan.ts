import type { Plan } from '../../proto/plan.ts'
import type { Guard } from '../update/floor.ts'
import type { AcceptedPlan } from '../update/types.ts'

/** What the update machine keeps of a plan. */
export function toAcceptedPlan(plan: Plan, payloadSha256: string, guard: Guard | null): AcceptedPlan {
  const { fleet, rollout, generation, attempt, term, counter, image, health, limits, deny } = plan
  const { allow, lint, kernelArguments, resumed } = plan
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
    // Left out where there is none: an agent that a fallback brings back must still read the state.
    ...(allow === undefined ? {} : { allow }),
    ...(lint === undefined ? {} : { lint }),
    ...(resumed === undefined ? {} : { resumed }),
    ...(kernelArguments === undefined ? {} : { kernelArguments }),
    ...(guard === null ? {} : { guard }),
    issuedAtMs: Date.parse(plan.issuedAt),
    stageUntilMs: plan.stage === null ? null : Date.parse(plan.stage.until),
    activateUntilMs: plan.activate === null ? null : Date.parse(plan.activate.until),
  }
}
