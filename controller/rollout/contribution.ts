import { hasRegressed, isBroken } from './evidence.ts'
import { grantElsewhere, imageOf, isMember, needOf } from './needs.ts'
import { brokenPrefix, dequeue, enqueue, orderKey } from './order.ts'
import { isEnded, isFailure, isStaging, isUnavailable, isWithdrawn, takesSlot } from './phases.ts'
import { currentRollout, ownerOf } from './state.ts'
import type {
  Bucket,
  Contribution,
  Fleet,
  Host,
  HostClass,
  Mark,
  Rollout,
  RolloutEngineState,
} from './state.ts'
import type { GrantRecord } from './types.ts'
import { waveIndexOf } from './waves.ts'

/** Takes the host out of every counter, changes it, and counts it again: the cost of any event of one host. */
export function recount(state: RolloutEngineState, host: Host, change: () => void): void {
  for (const contribution of host.contributions) count(state, host, contribution, -1)
  change()
  host.contributions = contributionsOf(state, host)
  for (const contribution of host.contributions) count(state, host, contribution, 1)
}

function count(state: RolloutEngineState, host: Host, contribution: Contribution, by: 1 | -1): void {
  const move = by === 1 ? enqueue : dequeue
  switch (contribution.kind) {
    case 'member':
      if (by === 1) contribution.fleet.members.add(host.id)
      else contribution.fleet.members.delete(host.id)
      return
    case 'unavailable':
    case 'staging':
      contribution.fleet[contribution.kind] += by
      return
    case 'deadline':
      move(state.deadlines, contribution.key)
      return
    case 'bucket': {
      const { bucket } = contribution
      bucket.members += by
      bucket[contribution.class] += by
      for (const mark of contribution.marks) bucket[mark] += by
      if (contribution.toStage !== null) move(bucket.toStage, contribution.toStage)
      if (contribution.toActivate !== null) move(bucket.toActivate, contribution.toActivate)
    }
  }
}

function contributionsOf(state: RolloutEngineState, host: Host): readonly Contribution[] {
  const contributions: Contribution[] = []
  const fleets = new Set<Fleet>()
  const owner = state.fleets.get(ownerOf(host) ?? '')
  if (owner !== undefined) {
    contributions.push({ kind: 'member', fleet: owner })
    fleets.add(owner)
  }
  for (const grant of host.grants.values()) {
    const rollout = state.rollouts.get(grant.rolloutId)
    const fleet = rollout && state.fleets.get(rollout.record.fleet)
    if (fleet === undefined) continue
    fleets.add(fleet)
    if (takesSlot(grant)) contributions.push({ kind: 'unavailable', fleet })
    if (isStaging(grant)) contributions.push({ kind: 'staging', fleet })
    const atMs = deadlineOf(host, grant)
    if (atMs !== null) contributions.push({ kind: 'deadline', key: deadlineKey(atMs, grant) })
  }
  for (const fleet of fleets) {
    const rollout = currentRollout(state, fleet)
    if (rollout !== null && (fleet === owner || host.grants.has(rollout.record.id))) {
      contributions.push(bucketContribution(fleet, rollout, host))
    }
  }
  return contributions
}

function bucketContribution(fleet: Fleet, rollout: Rollout, host: Host): Contribution {
  const index = bucketIndexOf(rollout, host)
  const grant = host.grants.get(rollout.record.id) ?? null
  const member = isMember(fleet, host)
  const reachable = member && host.connected && host.record !== null
  const need = member ? needOf(rollout.record, host, index === rollout.record.waves.length) : null
  const mayStage = reachable && need !== null && grantElsewhere(host, rollout.record.id) === null
  const queued = (isHostBroken(host) ? brokenPrefix : '1') + orderKeyOf(rollout, host)
  const hostClass = classOf(grant, member)
  const marks = grant === null ? [] : grantMarks(rollout, host, grant)
  if (!reachable) marks.push(...silenceMarks(grant, hostClass))
  if (need === 'Back') marks.push('toRollBack')
  return {
    kind: 'bucket',
    bucket: rollout.buckets[index] as Bucket,
    class: hostClass,
    marks,
    toStage: mayStage ? queued : null,
    toActivate: reachable && waitsForSlot(grant) ? queued : null,
  }
}

function orderKeyOf(rollout: Rollout, host: Host): string {
  const known = rollout.orderKeys.get(host.id)
  if (known !== undefined) return known
  const key = orderKey(rollout.record.revision, host.id)
  rollout.orderKeys.set(host.id, key)
  return key
}

function silenceMarks(grant: GrantRecord | null, hostClass: HostClass): readonly Mark[] {
  if (hostClass === 'pending') return ['silent']
  return waitsForSlot(grant) ? ['silentStaged'] : []
}

function waitsForSlot(grant: GrantRecord | null): boolean {
  return grant?.phase === 'AwaitingSlot'
}

function isHostBroken(host: Host): boolean {
  return host.record !== null && isBroken(host.record.report)
}

function grantMarks(rollout: Rollout, host: Host, grant: GrantRecord): Mark[] {
  const marks: Mark[] = []
  if (isUnavailable(grant)) marks.push('activated')
  if (grant.direction === 'Back' && isFailure(grant.phase)) marks.push('rollbackFailed')
  const image = imageOf(rollout.record, grant.direction)
  if (host.record !== null && grant.phase === 'Succeeded' && hasRegressed(host.record.report, grant, image)) {
    marks.push('regressed')
  }
  return marks
}

/** Hosts that enrolled after the rollout began are in the tail, whatever their place in the order. */
export function bucketIndexOf(rollout: Rollout, host: Host): number {
  const { waves, startedAtMs } = rollout.record
  const joined = (host.enrolment?.enrolledAtMs ?? 0) > startedAtMs
  return joined ? waves.length : waveIndexOf(waves, orderKeyOf(rollout, host))
}

function classOf(grant: GrantRecord | null, member: boolean): HostClass {
  if (grant === null) return 'pending'
  if (grant.phase === 'Removed' && member) return 'pending'
  if (grant.phase === 'Succeeded') return 'succeeded'
  if (isWithdrawn(grant.phase)) return 'skipped'
  return isFailure(grant.phase) ? 'failed' : 'inProgress'
}

/**
 * When a lease or a wait for one host ends. A reachable host that was told to activate and still says Staged has
 * let its lease lapse; of a silent one nobody knows, so it keeps its slot for as long as its boots may take.
 */
function deadlineOf(host: Host, grant: GrantRecord): number | null {
  if (isEnded(grant.phase)) return null
  if (isUnavailable(grant)) {
    return grant.phase === 'Staged' && host.connected ? grant.activateUntilMs : grant.endBy
  }
  return grant.phase === 'AwaitingSlot' ? null : grant.stageUntilMs
}

function deadlineKey(atMs: number, grant: GrantRecord): string {
  return `${String(atMs).padStart(16, '0')} ${grant.hostId} ${grant.rolloutId}`
}

export function parseDeadline(key: string): {
  readonly atMs: number
  readonly hostId: string
  readonly rolloutId: string
} {
  const [at = '', hostId = '', ...rollout] = key.split(' ')
  return { atMs: Number(at), hostId, rolloutId: rollout.join(' ') }
}

/** After a rollout began or changed its kind of state: what every host of the fleet needs may have changed. */
export function recountFleet(state: RolloutEngineState, name: string): void {
  for (const host of state.hosts.values()) {
    const touched = ownerOf(host) === name || grantsOf(state, host, name)
    if (touched) recount(state, host, () => undefined)
  }
}

function grantsOf(state: RolloutEngineState, host: Host, fleet: string): boolean {
  return [...host.grants.keys()].some((id) => state.rollouts.get(id)?.record.fleet === fleet)
}
