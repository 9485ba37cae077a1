import { sizeOf } from '../desired-state/amount.ts'
import { needOf } from './needs.ts'
import type { Direction } from './needs.ts'
import { grantActivation, grantStage } from './grants.ts'
import type { Bucket, Changes, Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import { currentRollout } from './state.ts'
import { brokenPrefix } from './order.ts'
import { activeWaveIndex } from './waves.ts'
import type { BlockingReason } from './states.ts'
import type { DeniedDigest, RolloutRecord } from './types.ts'

/** Length of an order key's prefix in a queue: broken or not, and the hash. */
const prefixLength = 17

/** Hosts of a fleet that may pull at once, so that a wave does not overrun the registry or its line. */
export const maxDownloads = 50

/** Hosts that may be unavailable together, over all rollouts of the fleet. */
export function allowedUnavailable(fleet: Fleet, rollout: RolloutRecord): number {
  return sizeOf(rollout.strategy.maxUnavailable, fleet.members.size, 'up-at-least-one')
}

export function denialOf(fleet: Fleet, digest: string): DeniedDigest | null {
  return fleet.record.denied.find((denied) => denied.digest === digest) ?? null
}

/** What keeps the whole fleet from getting any grant; null when nothing does. */
export function fleetBlock(state: RolloutEngineState, fleet: Fleet): BlockingReason | null {
  const wanted = state.wanted?.get(fleet.record.fleet)
  if (wanted === undefined) return { kind: 'FleetNotWanted' }
  if (wanted.suspend) return { kind: 'Suspended' }
  const rollout = currentRollout(state, fleet)?.record
  const kind = rollout?.state.kind
  if (rollout?.state.kind === 'Paused') {
    const ownDenial = denialOf(fleet, rollout.image.digest)
    return ownDenial === null
      ? { kind: 'RolloutPaused', cause: rollout.state.cause }
      : { kind: 'Denied', ...pickDenial(ownDenial) }
  }
  if (kind !== undefined && kind !== 'Progressing') return null
  const denied = denialOf(fleet, wanted.image.digest)
  return denied === null ? null : { kind: 'Denied', ...pickDenial(denied) }
}

function pickDenial(denied: DeniedDigest): { readonly digest: string; readonly reason: string } {
  return { digest: denied.digest, reason: denied.reason }
}

/** Which parts of the population may get grants now, in order; a rollback begins with the last wave. */
function openBuckets(rollout: Rollout): readonly Bucket[] {
  const { state, waves } = rollout.record
  if (state.kind === 'Progressing') {
    const index = activeWaveIndex(waves)
    const tail = rollout.buckets[waves.length] as Bucket
    return waves[index]?.state === 'Running' ? [rollout.buckets[index] as Bucket, tail] : [tail]
  }
  return state.kind === 'Succeeded' ? rollout.buckets : rollout.buckets.toReversed()
}

/**
 * Grants all that the limits allow. Staging disturbs no service and takes a download slot; activation takes a slot
 * of maxUnavailable, unless the host is broken already. A host has one lease at a time: staged, it waits
 * without any.
 */
export function giveGrants(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const rollout = currentRollout(state, fleet)
  if (rollout === null || fleetBlock(state, fleet) !== null) return
  const buckets = openBuckets(rollout)
  for (const bucket of buckets) {
    for (const host of queued(state, bucket.toStage.slice(0, Math.max(0, maxDownloads - fleet.staging)))) {
      const isTail = bucket === rollout.buckets.at(-1)
      const direction = needOf(rollout.record, host, isTail)
      grantStage(state, changes, { rollout, host, direction: direction as Direction })
    }
  }
  const allowed = allowedUnavailable(fleet, rollout.record)
  for (const bucket of buckets) {
    for (const host of queued(state, mayActivate(bucket.toActivate, allowed, fleet))) {
      grantActivation(state, changes, { rollout, host })
    }
  }
}

/** Broken hosts are first in the queue. Where nothing may be unavailable, nothing moves, broken or not. */
function mayActivate(queue: readonly string[], allowed: number, fleet: Fleet): readonly string[] {
  if (allowed === 0) return []
  const sound = queue.findIndex((key) => !key.startsWith(brokenPrefix))
  const broken = sound === -1 ? queue.length : sound
  return queue.slice(0, broken + Math.max(0, allowed - fleet.unavailable))
}

function queued(state: RolloutEngineState, queue: readonly string[]): readonly Host[] {
  return queue.map((key) => state.hosts.get(key.slice(prefixLength)) as Host)
}
