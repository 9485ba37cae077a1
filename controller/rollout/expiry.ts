import { parseDeadline } from './deadlines.ts'
import { endGrant, putOff } from './grants.ts'
import { isCommitted, isStaging } from './phases.ts'
import { isBackingOff } from './retry.ts'
import { firstOf, keysOf } from './queue.ts'
import { hostOf } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Host, RolloutEngineState } from './state.ts'
import type { GrantRecord } from './records.ts'
import type { Now } from './now.ts'

/**
 * After a start hosts have this long to be heard before anything of them is given up: while the controller was away
 * nobody took in what they said, and a release must not be denied for that.
 */
export const graceMs = 120_000

/** Leases and waits that ran out. Soonest first, so only what is due is looked at. */
export function expire(state: RolloutEngineState, changes: Changes): void {
  const { wallMs } = changes.now
  for (const due of dueBy(state, wallMs)) {
    const { atMs, hostId, rolloutId } = parseDeadline(due)
    const host = hostOf(state, hostId)
    const grant = host.grants.get(rolloutId) as GrantRecord
    const goesOn = withoutFailure(state, grant)
    if (goesOn !== null) {
      putOff(state, changes, goesOn)
      continue
    }
    if (isGraced(state, host)) continue
    const isOurs = atMs <= state.openedAtMs && host.heard && !isCommitted(grant.phase)
    if (isOurs) {
      endGrant(state, changes, {
        grant,
        phase: 'Removed',
        message: 'its lease ran out while the controller was away',
      })
    } else endGrant(state, changes, { grant, phase: 'TimedOut', message: lateness(grant) })
  }
}

/** What is over is only a wait before the next attempt, or the window in which the host could pull. */
function withoutFailure(state: RolloutEngineState, grant: GrantRecord): GrantRecord | null {
  if (isBackingOff(grant)) return { ...grant, notBeforeMs: null }
  const rollout = state.rollouts.get(grant.rolloutId)?.record
  if (rollout === undefined || !isStaging(grant) || grant.stageUntilMs === null) return null
  const isCut = grant.stageUntilMs < grant.grantedAtMs + rollout.strategy.deadlines.downloadMs
  return isCut ? { ...grant, message: 'the download window closed' } : null
}

function isGraced(state: RolloutEngineState, host: Host): boolean {
  return !host.heard && state.openForMs < graceMs
}

/** Copied, because each end changes the queue. */
function dueBy(state: RolloutEngineState, wallMs: number): readonly string[] {
  const due: string[] = []
  for (const key of keysOf(state.deadlines)) {
    if (parseDeadline(key).atMs > wallMs) break
    due.push(key)
  }
  return due
}

/** When the next lease runs out; one that only waits for its host, when the grace is over. */
export function timeToExpiry(state: RolloutEngineState, now: Now): number | null {
  const first = firstOf(state.deadlines)
  if (first === undefined) return null
  const leftMs = graceMs - state.openForMs
  if (leftMs <= 0) return Math.max(0, parseDeadline(first).atMs - now.wallMs)
  for (const key of keysOf(state.deadlines)) {
    const { atMs, hostId } = parseDeadline(key)
    const waitMs = Math.max(0, atMs - now.wallMs)
    if (waitMs >= leftMs) return Math.max(leftMs, waitMs)
    if (!isGraced(state, hostOf(state, hostId))) return waitMs
  }
  return leftMs
}

function lateness(grant: GrantRecord): string {
  if (isCommitted(grant.phase)) return 'did not report after its reboot'
  return grant.activateUntilMs === null ? 'did not stage the image in time' : 'did not activate in time'
}
