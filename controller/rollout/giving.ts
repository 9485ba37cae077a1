import { allowedDownloads, allowedUnavailable, fleetBlock } from './budget.ts'
import { limitsOf } from './holds.ts'
import { rateNow } from './rate.ts'
import { gateOf, timeToWindow } from './schedule.ts'
import type { Now } from './now.ts'
import { grantActivation, grantStage } from './grants.ts'
import { needOf } from './needs.ts'
import type { Need } from './needs.ts'
import { brokenPrefix, hostIdOf } from './order.ts'
import { firstOf } from './queue.ts'
import type { Bucket, Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { Changes } from './changes.ts'
import { currentRollout } from './state-entries.ts'
import { exceedsLimit } from './wave-steps.ts'
import { activeWaveIndex } from './waves.ts'

/** Of each kind and in one decision: a host that runs the image already takes no slot. */
const grantsAtOnce = 1_000

/**
 * Grants all that the limits allow. Staging disturbs no service and takes a download slot; activation takes a slot
 * of maxUnavailable and of the host's domains, unless the host is broken already. A host has one lease at a time:
 * staged, it waits without any.
 */
export function giveGrants(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const rollout = currentRollout(state, fleet)
  if (rollout === null || fleetBlock(state, fleet) !== null) return
  const at = { fleet, rollout, buckets: openBuckets(rollout) }
  stage(state, changes, at)
  // A host that cannot take the image fails as soon as it is its turn: the gate judges that before anybody moves.
  if (!at.buckets.some((bucket) => hasFailed(rollout, bucket))) activate(state, changes, at)
}

function hasFailed(rollout: Rollout, bucket: Bucket): boolean {
  const wave = rollout.record.waves[rollout.buckets.indexOf(bucket)]
  return rollout.record.state.kind === 'Progressing' && wave !== undefined && exceedsLimit(bucket, wave)
}

/** When time alone may let another host be granted something, or end what lets it; null: it cannot. */
export function timeToGrant(state: RolloutEngineState, fleet: Fleet, now: Now): number | null {
  const rollout = currentRollout(state, fleet)
  if (rollout === null || fleetBlock(state, fleet) !== null) return null
  const waits = [timeToWindow(state, { fleet, rollout }, now)]
  const rate = rateNow(state, { fleet, rollout }, now)
  const isWaiting = rollout.buckets.some(({ toActivate }) => toActivate.ready.size > 0)
  if (rate !== null && rate.left === 0 && isWaiting) waits.push(rate.inMs)
  const bounded = waits.filter((wait) => wait !== null)
  return bounded.length === 0 ? null : Math.min(...bounded)
}

type Open = { readonly fleet: Fleet; readonly rollout: Rollout; readonly buckets: readonly Bucket[] }

/** Which parts of the population may get grants now, in order; a rollback begins with the last wave. */
function openBuckets(rollout: Rollout): readonly Bucket[] {
  const { state, waves } = rollout.record
  if (state.kind === 'Progressing') {
    const index = activeWaveIndex(waves)
    const tail = rollout.buckets[waves.length] as Bucket
    const wave = waves[index]
    const isOpen = wave?.state === 'Running' && !wave.leavesBehind
    return isOpen ? [rollout.buckets[index] as Bucket, tail] : [tail]
  }
  return state.kind === 'Succeeded' ? rollout.buckets : rollout.buckets.toReversed()
}

function stage(state: RolloutEngineState, changes: Changes, { buckets, fleet, rollout }: Open): void {
  const gate = gateOf(state, { fleet, rollout: rollout.record, action: 'Download' }, changes.now)
  if (gate.kind === 'Closed') return
  const allowed = allowedDownloads(state, fleet)
  let left = grantsAtOnce
  for (const bucket of prefetching(state, { fleet, rollout, buckets })) {
    const isTail = bucket === rollout.buckets.at(-1)
    for (; left > 0 && fleet.staging < allowed; left -= 1) {
      const host = nextHost(state, firstOf(bucket.toStage))
      if (host === null || hasFailed(rollout, bucket)) break
      const need = needOf(state, { rollout: rollout.record, host, isTail }) as Need
      grantStage(state, changes, { rollout, host, need, windowEndMs: gate.endMs })
    }
  }
  if (left === 0) changes.again = true
}

/** Hosts of the next wave may stage while the current one runs and soaks; they wait without any lease then. */
function prefetching(state: RolloutEngineState, { buckets, fleet, rollout }: Open): readonly Bucket[] {
  const { waves } = rollout.record
  if (rollout.record.state.kind !== 'Progressing') return buckets
  if (limitsOf(state, fleet).downloads.prefetch !== 'NextWave') return buckets
  const active = activeWaveIndex(waves)
  const next = waves.findIndex(({ size }, index) => index > active && size > 0)
  return active === -1 || next === -1 ? buckets : [...buckets, rollout.buckets[next] as Bucket]
}

/** Broken hosts are first in the queue. Where nothing may be unavailable, nothing moves, broken or not. */
function activate(state: RolloutEngineState, changes: Changes, { buckets, fleet, rollout }: Open): void {
  const allowed = allowedUnavailable(state, fleet, rollout.record)
  const gate = gateOf(state, { fleet, rollout: rollout.record, action: 'Activate' }, changes.now)
  if (allowed === 0 || gate.kind === 'Closed') return
  const rate = rateNow(state, { fleet, rollout }, changes.now)
  let left = Math.min(grantsAtOnce, rate?.left ?? grantsAtOnce)
  for (const bucket of buckets) {
    for (; left > 0; left -= 1) {
      const key = firstOf(bucket.toActivate.ready)
      const host = nextHost(state, key)
      if (host === null) break
      if (key?.startsWith(brokenPrefix) !== true && fleet.unavailable >= allowed) break
      grantActivation(state, changes, { rollout, host, windowEndMs: gate.endMs })
    }
  }
  if (left === 0 && (rate === null || rate.left > grantsAtOnce)) changes.again = true
}

function nextHost(state: RolloutEngineState, key: string | undefined): Host | null {
  return (key === undefined ? undefined : state.hosts.get(hostIdOf(key))) ?? null
}
