import { nextOnTheWay, versionOf } from './barriers.ts'
import { denialOf } from './fleet-record.ts'
import { runsImage } from './evidence.ts'
import { targetOf } from './needs.ts'
import { moveOf, nameOf } from './host-names.ts'
import type { Need } from './needs.ts'
import type { LocalMove } from './report.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { BlockingReason } from './states.ts'
import type { ResolvedImage } from './wanted.ts'
import { isOlder } from './version-order.ts'

type Place = { readonly fleet: Fleet; readonly rollout: Rollout; readonly host: Host }

/**
 * What keeps this one host from what it needs, whatever limits and waves say; null: nothing does. A host like that
 * takes no place in a wave that others wait for.
 */
export function blockOfHost(
  state: RolloutEngineState,
  place: Place,
  need: Need | null,
  nowMs = 0,
): BlockingReason | null {
  const { hold, pin } = place.host
  if (hold !== null) {
    const inMs = hold.untilMs === null ? null : Math.max(0, hold.untilMs - nowMs)
    return { kind: 'Held', reason: hold.reason, inMs }
  }
  const move = moveOf(place.host)
  if (move !== null) return blockOfMove(place.host, move, nowMs)
  if (place.host.unguarded) return { kind: 'Unguarded', host: nameOf(place.host) }
  if (pin !== null && pin.image === null) return { kind: 'PinNotFound', digest: pin.digest }
  if (need === null) return null
  const target = targetOf(place.rollout.record, need)
  const denied = denialOf(place.fleet, target.digest)
  if (denied !== null) return { kind: 'Denied', digest: denied.digest, reason: denied.reason }
  return need.pinned ? null : (unknownWay(state, place, need) ?? downgrade(state, place, need, target))
}

export function blockOfMove(
  host: Host,
  { atMs, command, digest, user }: LocalMove,
  nowMs: number,
): BlockingReason {
  return {
    kind: 'Drifted(local)',
    host: nameOf(host),
    user,
    command,
    digest,
    atMs,
    agoMs: Math.max(0, nowMs - atMs),
  }
}

function unknownWay(state: RolloutEngineState, place: Place, need: Need): BlockingReason | null {
  const requires = state.wanted?.get(place.fleet.record.fleet)?.requires ?? []
  const report = place.host.record?.report
  if (report === undefined || need.image !== null) return null
  const next = nextOnTheWay(
    { requires, versions: state.versions },
    report,
    targetOf(place.rollout.record, need),
  )
  if (next.kind !== 'Unknown') return null
  return { kind: 'UnknownVersion', below: next.barrier.below, reason: next.barrier.reason }
}

/** What was stable when the rollout began is never a downgrade: that is how a fleet comes back. */
function downgrade(
  state: RolloutEngineState,
  { fleet, host, rollout }: Place,
  need: Need,
  target: ResolvedImage,
): BlockingReason | null {
  const { from, image } = rollout.record
  const report = host.record?.report
  if (report === undefined || need.direction === 'Back' || from?.image.digest === image.digest) return null
  if (state.wanted?.get(fleet.record.fleet)?.downgrade !== 'Deny' || runsImage(report, target)) return null
  const running = versionOf(state.versions, report)
  return isOlder(target.version, running) ? { kind: 'Downgrade', to: target.version, from: running } : null
}
