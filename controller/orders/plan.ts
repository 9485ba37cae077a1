import type { RolloutEngineState } from '../rollout/state.ts'
import { planDigest } from './digest-orders.ts'
import { planHalt, planLift } from './halt-orders.ts'
import type { Order, OrderPlan } from './order.ts'
import { planResumeHost } from './resume-host.ts'
import { planRetry } from './retry-orders.ts'
import { planVerb } from './rollout-orders.ts'
import { findRollout } from './targets.ts'

/**
 * What an order means as things are. One that could have no effect is refused, so that nobody walks away from a
 * rollout that they believe they stopped; one that was carried out before says so.
 * @throws ControllerError NotFound, RequestInvalid.
 */
export function planOrder(state: RolloutEngineState, order: Order): OrderPlan {
  switch (order.kind) {
    case 'halt':
    case 'unhalt':
      return planHalt(state, order)
    case 'deny':
    case 'allow':
      return planDigest(state, order)
    case 'retry':
      return planRetry(state, order)
    case 'resumeHost':
      return planResumeHost(state, order)
    case 'resume':
      return planLift(state, order) ?? planVerb(findRollout(state, order.target), order)
    case 'pause':
    case 'promote':
    case 'approve':
    case 'abort':
    case 'rollback':
      return planVerb(findRollout(state, order.target), order)
  }
}
