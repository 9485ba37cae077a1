import { isEnded, isUnavailable } from './phases.ts'
import { isBackingOff } from './retry.ts'
import type { Host } from './state.ts'
import type { GrantRecord } from './records.ts'

/**
 * When a lease or a wait for one host ends. A reachable host that was told to activate and still says Staged has
 * let its lease lapse; of a silent one nobody knows, so it keeps its slot for as long as its boots may take.
 */
export function deadlineOf(host: Host, grant: GrantRecord): number | null {
  if (isBackingOff(grant)) return grant.notBeforeMs
  if (isEnded(grant.phase)) return null
  if (isUnavailable(grant)) {
    return grant.phase === 'Staged' && host.connected ? grant.activateUntilMs : grant.endBy
  }
  return grant.phase === 'AwaitingSlot' ? null : grant.stageUntilMs
}

export function deadlineKey(atMs: number, grant: GrantRecord): string {
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
