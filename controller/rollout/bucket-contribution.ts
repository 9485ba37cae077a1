import { bucketIndexOf, orderKeyOf } from './bucket-index.ts'
import { hasRegressed, isBroken } from './evidence.ts'
import { holdsOf } from './holds.ts'
import { blockOfHost } from './host-blocks.ts'
import { classApart, classOf, isApart } from './host-class.ts'
import { moveOf } from './host-names.ts'
import { grantElsewhere, isMember, needOf, targetOf } from './needs.ts'
import type { Need } from './needs.ts'
import { againPrefix, brokenPrefix, firstPrefix } from './order.ts'
import { isAdopted, isFailure, isUnavailable } from './phases.ts'
import type { GrantRecord } from './records.ts'
import { isBackingOff } from './retry.ts'
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

export type Place = { readonly fleet: Fleet; readonly rollout: Rollout; readonly host: Host }

export function bucketContribution(state: RolloutEngineState, place: Place): Contribution {
  const { fleet, host, rollout } = place
  const index = bucketIndexOf(rollout, host)
  const grant = host.grants.get(rollout.record.id) ?? null
  const member = isMember(fleet, host)
  const reachable = member && isHeard(host)
  const wish = wishOf(state, place, index)
  const queued = prefixOf(host, grant) + orderKeyOf(rollout, host)
  const toStage = reachable && mayStage(place, wish, grant) ? queued : null
  const hostClass = isApart(host) ? classApart(grant) : classOf(grant, member)
  return {
    kind: 'bucket',
    bucket: rollout.buckets[index] as Bucket,
    // What is pinned waits for no wave.
    queues: (host.pin === null ? rollout.buckets[index] : rollout.buckets.at(-1)) as Bucket,
    class: hostClass,
    marks: [
      ...(grant === null ? [] : grantMarks(rollout, host, grant)),
      ...(reachable && !wish.isBlocked ? [] : silenceMarks(grant, hostClass)),
      ...wishMarks(host, wish, toStage),
    ],
    inconclusive: inconclusiveOf(grant),
    toStage,
    toActivate: reachable && waitsForSlot(grant) ? { key: queued, holds: holdsOf(state, fleet, host) } : null,
  }
}

export function isHeard(host: Host): boolean {
  return host.connected && host.record !== null
}

type Wish = { readonly need: Need | null; readonly isBlocked: boolean }

function wishOf(state: RolloutEngineState, place: Place, index: number): Wish {
  const { fleet, host, rollout } = place
  if (!isMember(fleet, host)) return { need: null, isBlocked: false }
  const isTail = index === rollout.record.waves.length
  const need = needOf(state, { rollout: rollout.record, host, isTail })
  return { need, isBlocked: blockOfHost(state, place, need) !== null }
}

function mayStage({ host, rollout }: Place, { isBlocked, need }: Wish, grant: GrantRecord | null): boolean {
  if (need === null || isBlocked || (grant !== null && isBackingOff(grant))) return false
  return grantElsewhere(host, rollout.record.id) === null
}

function wishMarks(host: Host, { isBlocked, need }: Wish, toStage: string | null): readonly Mark[] {
  const marks: Mark[] = isApart(host) ? ['exempt'] : []
  if (toStage !== null && need?.pinned === true) marks.push('pinsToStage')
  if (need?.direction === 'Back' && !isBlocked) marks.push('toRollBack')
  // Where a person on it chose what boots, nobody failed.
  if (need?.direction === 'Back' && isBlocked && moveOf(host) === null) marks.push('rollbackFailed')
  return marks
}

/** One that proved nothing goes after all others: whatever it could not reach may be back by then. */
function prefixOf(host: Host, grant: GrantRecord | null): string {
  if (grant?.phase === 'Pending' && grant.retries.download + grant.retries.stage > 0) return againPrefix
  if (isHostBroken(host)) return brokenPrefix
  return inconclusiveOf(grant) > 0 ? againPrefix : firstPrefix
}

function inconclusiveOf(grant: GrantRecord | null): number {
  return grant === null ? 0 : grant.inconclusive
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
  if (grant.pinned) return []
  const marks: Mark[] = []
  if (isUnavailable(grant)) marks.push('activated')
  if (isAdopted(grant)) marks.push('adopted')
  // Of what a person chose instead nobody says that the image is bad, or that the way back is.
  if (moveOf(host) !== null) return marks
  if (grant.direction === 'Back' && isFailure(grant.phase)) marks.push('rollbackFailed')
  const image = targetOf(rollout.record, grant)
  if (host.record !== null && grant.phase === 'Succeeded' && hasRegressed(host.record.report, grant, image)) {
    marks.push('regressed')
  }
  return marks
}
