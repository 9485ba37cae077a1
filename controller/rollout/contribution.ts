import { bucketContribution, isHeard } from './bucket-contribution.ts'
import type { Place } from './bucket-contribution.ts'
import type { Changes } from './changes.ts'
import { deadlineKey, deadlineOf } from './deadlines.ts'
import { holdsOf } from './holds.ts'
import { partOf } from './host-names.ts'
import { eachHost } from './jobs.ts'
import { isMember } from './needs.ts'
import { isOpen, isStaging, takesSlot } from './phases.ts'
import { dequeue, enqueue } from './queue.ts'
import type { GrantRecord } from './records.ts'
import { currentRollout } from './state-entries.ts'
import type { Contribution, Fleet, Host, RolloutEngineState } from './state.ts'
import { join, leave, shiftDomain } from './topology.ts'

/** Takes the host out of every counter, changes it, and counts it again: the cost of any event of one host. */
export function recount(state: RolloutEngineState, host: Host, change: () => void): void {
  const before = fleetIn(host.contributions)
  for (const contribution of host.contributions) count(state, host, contribution, -1)
  change()
  host.contributions = contributionsOf(state, host)
  for (const contribution of host.contributions) count(state, host, contribution, 1)
  const after = fleetIn(host.contributions)
  // A large set is copied whole after so many removals, and no host would stay at its place in it.
  if (before === after) return
  before?.members.delete(host.id)
  after?.members.add(host.id)
}

function fleetIn(contributions: readonly Contribution[]): Fleet | undefined {
  return contributions.find((each) => each.kind === 'member')?.fleet
}

function count(state: RolloutEngineState, host: Host, contribution: Contribution, by: 1 | -1): void {
  const move = by === 1 ? enqueue : dequeue
  switch (contribution.kind) {
    case 'member':
      contribution.fleet.unheard += by * contribution.unheard
      return
    case 'unavailable':
    case 'staging':
      contribution.fleet[contribution.kind] += by
      return
    case 'domain': {
      const { domain, members, unavailable } = contribution
      shiftDomain(domain, { members: by * members, unavailable: by * unavailable }, state.frozen)
      return
    }
    case 'open':
      if (by === 1) contribution.rollout.open.add(host.id)
      else contribution.rollout.open.delete(host.id)
      return
    case 'deadline':
      move(state.deadlines, contribution.key)
      return
    case 'bucket': {
      const { bucket, queues } = contribution
      bucket.members += by
      bucket[contribution.class] += by
      for (const mark of contribution.marks) bucket[mark] += by
      bucket.inconclusive += by * contribution.inconclusive
      if (contribution.toStage !== null) move(queues.toStage, contribution.toStage)
      if (contribution.toActivate !== null) {
        const wait = by === 1 ? join : leave
        wait(queues.toActivate, contribution.toActivate, state.frozen)
      }
    }
  }
}

function contributionsOf(state: RolloutEngineState, host: Host): readonly Contribution[] {
  const owner = state.fleets.get(partOf(host) ?? '')
  const unheard = Number(host.record === null)
  const contributions: Contribution[] = owner === undefined ? [] : [{ kind: 'member', fleet: owner, unheard }]
  const fleets = new Set(owner === undefined ? [] : [owner])
  for (const grant of host.grants.values()) {
    const rollout = state.rollouts.get(grant.rolloutId)
    const fleet = rollout && state.fleets.get(rollout.record.fleet)
    if (rollout === undefined || fleet === undefined) continue
    fleets.add(fleet)
    contributions.push(...grantContributions({ fleet, rollout, host }, grant))
  }
  for (const fleet of fleets) {
    const rollout = currentRollout(state, fleet)
    contributions.push(...domainContributions(state, fleet, host))
    if (rollout !== null && (fleet === owner || host.grants.has(rollout.record.id))) {
      contributions.push(bucketContribution(state, { fleet, rollout, host }))
    }
  }
  return contributions
}

function grantContributions({ fleet, host, rollout }: Place, grant: GrantRecord): readonly Contribution[] {
  const contributions: Contribution[] = []
  if (isOpen(grant)) contributions.push({ kind: 'open', rollout })
  if (takesSlot(grant)) contributions.push({ kind: 'unavailable', fleet })
  if (isStaging(grant)) contributions.push({ kind: 'staging', fleet })
  const atMs = deadlineOf(host, grant)
  if (atMs !== null) contributions.push({ kind: 'deadline', key: deadlineKey(atMs, grant) })
  return contributions
}

/** A host that nobody hears uses its domain's budget, whatever keeps it silent. */
function domainContributions(state: RolloutEngineState, fleet: Fleet, host: Host): readonly Contribution[] {
  const { domains } = holdsOf(state, fleet, host)
  if (domains.length === 0) return []
  const member = isMember(fleet, host)
  const isRestarting = [...host.grants.values()].some(
    (grant) => takesSlot(grant) && state.rollouts.get(grant.rolloutId)?.record.fleet === fleet.record.fleet,
  )
  const unavailable = Number(isRestarting || (member && !isHeard(host)))
  return domains.map((domain) => ({ kind: 'domain', domain, members: Number(member), unavailable }))
}

/** After a rollout began or changed its kind of state: what every host of the fleet needs may have changed. */
export function recountFleet(state: RolloutEngineState, changes: Changes, name: string): void {
  const visit = (host: Host): void => {
    const touched = partOf(host) === name || grantsOf(state, host, name)
    if (touched) recount(state, host, () => undefined)
  }
  eachHost(state, { concerns: { kind: 'fleet', name }, visit }, changes)
}

function grantsOf(state: RolloutEngineState, host: Host, fleet: string): boolean {
  return [...host.grants.keys()].some((id) => state.rollouts.get(id)?.record.fleet === fleet)
}
