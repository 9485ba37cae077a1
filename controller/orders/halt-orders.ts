import { ControllerError } from '../errors.ts'
import type { RolloutEngineState } from '../rollout/state.ts'
import type { Halt } from '../rollout/records.ts'
import type { HaltOrder, OrderPlan, RolloutOrder } from './order.ts'
import { findFleet } from './targets.ts'

export function planHalt(state: RolloutEngineState, order: HaltOrder): OrderPlan {
  const { kind, fleet } = order
  const every = state.everyFleet.halted
  const own = fleet === null ? every : findFleet(state, fleet).record.halted
  const subject = fleet === null ? 'every fleet' : `fleet ${fleet}`
  if (kind === 'halt') {
    return own === null
      ? plan(order, `${subject} is halted: no host begins anything, and what had not begun is withdrawn`)
      : already(`${subject} was halted already, ${by(own)}`)
  }
  if (own !== null) return plan(order, `${subject} is no longer halted`)
  if (fleet !== null && every !== null) refuseOne(fleet, every)
  return already(fleet === null ? 'not every fleet is halted' : `${subject} is not halted`)
}

/** `resume` takes back a halt of its fleet before it resumes a pause: one order, one thing. Null: nothing is halted. */
export function planLift(state: RolloutEngineState, order: RolloutOrder): OrderPlan | null {
  const fleet = state.fleets.get(order.target) ?? state.fleets.get(fleetOfRollout(state, order.target))
  if (fleet === undefined) return null
  const { fleet: name, halted, rolloutId } = fleet.record
  const { actor, reason } = order
  if (halted !== null) {
    const lift = planHalt(state, { kind: 'unhalt', fleet: name, actor, reason })
    return { ...lift, rolloutId: rolloutId ?? '' }
  }
  return state.everyFleet.halted === null ? null : refuseOne(name, state.everyFleet.halted)
}

function fleetOfRollout(state: RolloutEngineState, rolloutId: string): string {
  return state.rollouts.get(rolloutId)?.record.fleet ?? ''
}

function refuseOne(fleet: string, halt: Halt): never {
  throw new ControllerError(
    'RequestInvalid',
    `resuming fleet ${fleet}: every fleet is halted, ${by(halt)}; "bootfleet resume --all" takes that back`,
  )
}

function by({ actor, reason, atMs }: Halt): string {
  const said = reason === '' ? '' : `: "${reason}"`
  return `by ${actor} at ${new Date(atMs).toISOString()}${said}`
}

function plan({ kind, fleet, actor, reason }: HaltOrder, message: string): OrderPlan {
  return { rolloutId: '', digest: '', message, event: { kind, fleet, actor, reason } }
}

function already(message: string): OrderPlan {
  return { rolloutId: '', digest: '', message, event: null }
}
