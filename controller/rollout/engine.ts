import { takeIn } from './take-in.ts'
import { takeBackAborted } from './abort.ts'
import { dueMeasurements } from './analysis.ts'
import { recount } from './contribution.ts'
import { withdrawDenied } from './denial.ts'
import { expire, timeToExpiry } from './expiry.ts'
import { followFleets, timeToFollow } from './following.ts'
import { advanceTime, passGates, timeToGate } from './gate.ts'
import { giveGrants, timeToGrant } from './giving.ts'
import { learnLost, noticeLoss, timeToLearn } from './learning.ts'
import { readHost } from './readings.ts'
import { withdrawHalted } from './halt.ts'
import { timeToFreeze, turnFreezes } from './holds.ts'
import { isBusy, workOn } from './jobs.ts'
import { intentOf } from './intents.ts'
import { endHolds, timeToHoldEnd } from './membership.ts'
import { noteActivations } from './rate.ts'
import { chooseForgotten, forgetSome } from './retention.ts'
import { endRollback } from './rollback.ts'
import { emptyState, fleetOf, hostOf, newRollout } from './state-entries.ts'
import { noChanges } from './changes.ts'
import type { Changes } from './changes.ts'
import type { Fleet, RolloutEngineState } from './state.ts'
import { startWanted } from './supersede.ts'
import { waitForWindows } from './window-wait.ts'
import type { Decision, Write } from './decision.ts'
import type { Now } from './now.ts'
import type { Records } from './records.ts'
import type { RolloutEvent } from './events.ts'

export type { RolloutEngineState } from './state.ts'
export { explain } from './explain.ts'
export { refuseRemoval } from './removal.ts'
export { renderReason } from './sentences.ts'
export { describeFleets } from './fleet-views.ts'
export { describeHosts } from './host-views.ts'
export { describeRollouts } from './rollout-views.ts'

/*
 * rollout   Progressing ⇄ Paused(User | Failure | Approval | Inconclusive | Unreachable | Deadline)
 *           Progressing → Succeeded            every wave over; only this moves stable; from here on the keeper
 *           Progressing, Paused → Aborted      by order: hosts keep what they run, joiners get stable
 *           Progressing, Paused, Aborted → RollingBack → RolledBack | RollbackFailed     the keeper of stable
 *           Progressing, Paused, RollingBack → Superseded
 *
 * wave      Pending → Running ⇄ WaitingWindow → Soaking → Analysing → AwaitingApproval → Succeeded
 *           Soaking, Analysing, AwaitingApproval → Running (no longer healthy, or tried again)
 *           Pending, Running → Skipped (no hosts)      Running and later → Failed      any → Cancelled
 *
 * host      Pending → Granted → Downloading → AwaitingSlot → Staged (may activate)
 *             → Activating → Rebooting → Verifying → Succeeded | Failed | Rejected
 *                                                  → RollingBack → RolledBack
 *                                                  → RollingBack → Inconclusive → Granted (next attempt)
 *           before Activating → Skipped | Superseded | Cancelled | Removed        anywhere → TimedOut
 *
 * One call: count the time, take in the event, let leases run out, start what is wanted, pass gates, give grants.
 * A gate that opens and a grant behind it are never in one decision: the header must be durable first, so the
 * decision asks to be called again at once (`wakeInMs` 0).
 */

export type Step = { readonly state: RolloutEngineState; readonly decision: Decision }

/** Counts everything anew from the records and says what a stopped predecessor may have left undone. */
export function open(records: Records, now: Now): Step {
  const state = emptyState()
  const changes = noChanges(now)
  state.openedAtMs = now.wallMs
  state.knewHosts = records.enrolments.length > 0
  state.everyFleet = records.everyFleet ?? state.everyFleet
  for (const record of records.fleets) fleetOf(state, record.fleet).record = record
  for (const record of records.rollouts) state.rollouts.set(record.id, newRollout(record))
  for (const enrolment of records.enrolments) {
    const host = hostOf(state, enrolment.hostId)
    host.enrolment = enrolment
    host.labels = enrolment.labels
  }
  for (const record of records.hosts) {
    hostOf(state, record.hostId).record = record
    noticeLoss(state, record.report)
  }
  for (const record of records.grants) hostOf(state, record.hostId).grants.set(record.rolloutId, record)
  for (const host of state.hosts.values()) {
    recount(state, host, () => undefined)
    changes.publishes.add(host.id)
  }
  noteActivations(state)
  for (const host of state.hosts.values()) readHost(state, changes, host)
  expire(state, changes)
  withdrawHalted(state, changes)
  for (const fleet of state.fleets.values()) withdrawDenied(state, changes, fleet)
  chooseForgotten(state, changes)
  return { state, decision: decisionOf(state, changes) }
}

const steps = [
  startWanted,
  takeBackAborted,
  passGates,
  endRollback,
  waitForWindows,
  (state: RolloutEngineState, changes: Changes, fleet: Fleet): void => {
    if (!changes.again) giveGrants(state, changes, fleet)
  },
] as const

/** Consumes `state`: go on with the one that is returned. */
export function apply(state: RolloutEngineState, event: RolloutEvent, now: Now): Step {
  const changes = noChanges(now)
  state.openForMs += now.elapsedMs
  for (const fleet of state.fleets.values()) advanceTime(state, changes, fleet)
  takeIn(state, changes, event)
  workOn(state, changes)
  turnFreezes(state, now)
  expire(state, changes)
  endHolds(state, changes)
  followFleets(state, now)
  learnLost(state, changes)
  for (const fleet of state.fleets.values()) {
    for (const step of steps) if (!isBusy(state, fleet.record.fleet)) step(state, changes, fleet)
  }
  if (!changes.again) forgetSome(state, changes)
  return { state, decision: decisionOf(state, changes) }
}

const orderOfKinds: readonly Write['kind'][] = [
  'everyFleet',
  'fleet',
  'host',
  'grant',
  'rollout',
  'forgetRollout',
]

function decisionOf(state: RolloutEngineState, changes: Changes): Decision {
  const writes = [...changes.writes.values()]
  const publishes = [...changes.publishes].flatMap((id) => {
    const host = state.hosts.get(id)
    const intent = host && intentOf(state, host)
    return intent ? [intent] : []
  })
  return {
    writes: orderOfKinds.flatMap((kind) => writes.filter((write) => write.kind === kind)),
    measures: [...state.fleets.values()].flatMap((fleet) => dueMeasurements(state, fleet)),
    publishes,
    wakeInMs:
      changes.again || state.jobs.length > 0 || state.toForget.size > 0 ? 0 : timeToWake(state, changes.now),
  }
}

function timeToWake(state: RolloutEngineState, now: Now): number | null {
  const waits = [...state.fleets.values()].flatMap((fleet) => [
    timeToGate(state, fleet),
    timeToGrant(state, fleet, now),
  ])
  waits.push(timeToFreeze(state, now))
  waits.push(
    timeToExpiry(state, now),
    timeToFollow(state, now),
    timeToHoldEnd(state, now),
    timeToLearn(state),
  )
  const bounded = waits.filter((wait) => wait !== null)
  return bounded.length === 0 ? null : Math.min(...bounded)
}
