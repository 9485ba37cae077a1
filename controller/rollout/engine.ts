import { denialOf, giveGrants } from './budget.ts'
import { recount, parseDeadline } from './contribution.ts'
import { advanceTime, passGates, timeToGate } from './gate.ts'
import { expire, readHost } from './grants.ts'
import { intentOf } from './intents.ts'
import { assignOwner } from './membership.ts'
import { pauseRollout, resumeRollout } from './pause.ts'
import { chooseForgotten, forgetSome } from './retention.ts'
import { endRollback } from './rollback.ts'
import { emptyState, fleetOf, hostOf, newRollout, noChanges } from './state.ts'
import type { Changes, RolloutEngineState } from './state.ts'
import { startWanted } from './supersede.ts'
import type { Decision, HostReport, Now, Records, RolloutEvent, Write } from './types.ts'

export type { RolloutEngineState } from './state.ts'
export { explain } from './explain.ts'
export { renderReason } from './sentences.ts'
export { describeFleets } from './fleet-views.ts'
export { describeHosts } from './host-views.ts'
export { describeRollouts } from './rollout-views.ts'

/*
 * rollout   Progressing ⇄ Paused(User | Failure | Unreachable | Deadline)
 *           Progressing → Succeeded            every wave over; only this moves stable; from here on the keeper
 *           Progressing → RollingBack → RolledBack | RollbackFailed      from here on the keeper of stable
 *           Progressing, Paused, RollingBack → Superseded
 *
 * wave      Pending → Running ⇄ Soaking → Succeeded
 *           Pending, Running → Skipped (no hosts)      Running, Soaking → Failed      any → Cancelled
 *
 * host      Pending → Granted → Downloading → AwaitingSlot → Staged (may activate)
 *             → Activating → Rebooting → Verifying → Succeeded | Failed | Rejected
 *                                                  → RollingBack → RolledBack
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
  for (const record of records.fleets) fleetOf(state, record.fleet).record = record
  for (const record of records.rollouts) state.rollouts.set(record.id, newRollout(record))
  for (const enrolment of records.enrolments) hostOf(state, enrolment.hostId).enrolment = enrolment
  for (const record of records.hosts) hostOf(state, record.hostId).record = record
  for (const record of records.grants) hostOf(state, record.hostId).grants.set(record.rolloutId, record)
  for (const host of state.hosts.values()) {
    recount(state, host, () => undefined)
    changes.publishes.add(host.id)
  }
  for (const host of state.hosts.values()) readHost(state, changes, host)
  expire(state, changes)
  chooseForgotten(state)
  return { state, decision: decisionOf(state, changes) }
}

/** Consumes `state`: go on with the one that is returned. */
export function apply(state: RolloutEngineState, event: RolloutEvent, now: Now): Step {
  const changes = noChanges(now)
  for (const fleet of state.fleets.values()) advanceTime(state, changes, fleet)
  takeIn(state, changes, event)
  expire(state, changes)
  for (const fleet of state.fleets.values()) {
    startWanted(state, changes, fleet)
    passGates(state, changes, fleet)
    endRollback(state, changes, fleet)
    if (!changes.again) giveGrants(state, changes, fleet)
  }
  if (!changes.again) forgetSome(state, changes)
  return { state, decision: decisionOf(state, changes) }
}

function takeIn(state: RolloutEngineState, changes: Changes, event: RolloutEvent): void {
  switch (event.kind) {
    case 'enrolled': {
      const host = hostOf(state, event.enrolment.hostId)
      recount(state, host, () => {
        host.enrolment = event.enrolment
      })
      assignOwner(state, changes, host)
      return
    }
    case 'wanted':
      state.commit = event.commit
      state.wanted = new Map(event.fleets.map((fleet) => [fleet.name, fleet]))
      for (const fleet of event.fleets) fleetOf(state, fleet.name)
      for (const host of state.hosts.values()) assignOwner(state, changes, host)
      return
    case 'report':
      takeReport(state, changes, event)
      return
    case 'connection': {
      const host = hostOf(state, event.hostId)
      recount(state, host, () => {
        host.connected = event.connected
      })
      return
    }
    case 'pause':
    case 'resume':
      takeVerb(state, changes, event)
      return
    case 'timer':
  }
}

/** Stored before it is counted; the very same report again is neither. */
function takeReport(
  state: RolloutEngineState,
  changes: Changes,
  { hostId, report }: { readonly hostId: string; readonly report: HostReport },
): void {
  const host = hostOf(state, hostId)
  if (host.record !== null && JSON.stringify(host.record.report) === JSON.stringify(report)) return
  const record = { hostId, report, receivedAtMs: changes.now.wallMs }
  recount(state, host, () => {
    host.record = record
  })
  changes.writes.set(`host ${hostId}`, { kind: 'host', record })
  readHost(state, changes, host)
}

function takeVerb(
  state: RolloutEngineState,
  changes: Changes,
  verb: Extract<RolloutEvent, { readonly kind: 'pause' | 'resume' }>,
): void {
  const rollout = state.rollouts.get(verb.rolloutId)
  if (rollout === undefined) return
  if (verb.kind === 'resume') {
    const fleet = fleetOf(state, rollout.record.fleet)
    if (denialOf(fleet, rollout.record.image.digest) === null) resumeRollout(rollout, changes)
  } else if (rollout.record.state.kind === 'Progressing') {
    const { actor, reason } = verb
    pauseRollout(rollout, changes, { kind: 'User', actor, reason, atMs: changes.now.wallMs })
  }
}

const orderOfKinds: readonly Write['kind'][] = ['fleet', 'host', 'grant', 'rollout', 'forgetRollout']

function decisionOf(state: RolloutEngineState, changes: Changes): Decision {
  const writes = [...changes.writes.values()]
  const publishes = [...changes.publishes].flatMap((id) => {
    const host = state.hosts.get(id)
    const intent = host && intentOf(state, host)
    return intent ? [intent] : []
  })
  return {
    writes: orderOfKinds.flatMap((kind) => writes.filter((write) => write.kind === kind)),
    publishes,
    wakeInMs: changes.again || state.toForget.size > 0 ? 0 : timeToWake(state, changes.now),
  }
}

function timeToWake(state: RolloutEngineState, now: Now): number | null {
  const due = state.deadlines[0]
  const waits = [...state.fleets.values()].map((fleet) => timeToGate(state, fleet))
  if (due !== undefined) waits.push(Math.max(0, parseDeadline(due).atMs - now.wallMs))
  const bounded = waits.filter((wait) => wait !== null)
  return bounded.length === 0 ? null : Math.min(...bounded)
}
