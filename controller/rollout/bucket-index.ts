import { keyOfRank, rankOf } from './order.ts'
import type { Host, Rollout } from './state.ts'
import { waveIndexOf } from './waves.ts'

export function orderKeyOf(rollout: Rollout, host: Host): string {
  return keyOfRank(rankOf(rollout.revisionHash, host.hash), host.id)
}

/**
 * Hosts that enrolled after the rollout began are in the tail, whatever their place in the order. One that is tried
 * again is counted in the wave that the rollout was at when that was ordered.
 */
export function bucketIndexOf(rollout: Rollout, host: Host): number {
  const { waves, startedAtMs } = rollout.record
  const joined = (host.enrolment?.enrolledAtMs ?? 0) > startedAtMs
  const retried = host.grants.get(rollout.record.id)?.retried ?? null
  if (retried !== null) return retried.wave
  return joined ? waves.length : waveIndexOf(waves, orderKeyOf(rollout, host), host.labels)
}
