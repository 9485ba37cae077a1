import { isStaging, takesSlot } from '../../../controller/rollout/phases.ts'
import type { GrantRecord } from '../../../controller/rollout/records.ts'
import type { Write } from '../../../controller/rollout/decision.ts'
import { fleetNameOf, ownersOf } from '../population.ts'
import { grantKey } from '../store.ts'
import type { Wanted } from '../scenario.ts'
import type { World } from '../world-model.ts'

/** What the invariants keep beside the store, so that one step costs what it changed. */
export type Judge = {
  /** Of each fleet: the grants that hold such a lease. */
  readonly unavailable: Map<string, Set<string>>
  readonly staging: Map<string, Set<string>>
  /** Members by fleet; hosts of no fleet or of several are in none. */
  members: ReadonlyMap<string, ReadonlySet<string>>
  wanted: Wanted | null
  /** Attempts that were ever allowed to activate. */
  readonly mayActivate: Set<string>
  /** When a wave's newest host became healthy, by rollout and wave. */
  readonly lastHealthyMs: Map<string, number>
  /** Of each fleet, those of the last minute. */
  readonly activationsMs: Map<string, readonly number[]>
  steps: number
  /** The controller's clock was set; only what does not depend on it is judged. */
  readonly isClockTrue: () => boolean
}

export function newJudge(isClockTrue: () => boolean): Judge {
  return {
    unavailable: new Map(),
    staging: new Map(),
    members: new Map(),
    wanted: null,
    mayActivate: new Set(),
    lastHealthyMs: new Map(),
    activationsMs: new Map(),
    steps: 0,
    isClockTrue,
  }
}

/** The store was lost, and with it what anybody could hold it to; what hosts were ever allowed stays known. */
export function forget(judge: Judge): void {
  judge.unavailable.clear()
  judge.staging.clear()
  judge.lastHealthyMs.clear()
  judge.activationsMs.clear()
}

export function attemptKey({ attempt, hostId, rolloutId }: GrantRecord): string {
  return `${rolloutId} ${hostId} ${attempt}`
}

/** After writes became durable. */
export function remember(judge: Judge, writes: readonly Write[]): void {
  for (const write of writes) {
    if (write.kind === 'grant') {
      const { record } = write
      const fleet = fleetNameOf(record.rolloutId)
      keep(judge.unavailable, fleet, grantKey(record), takesSlot(record))
      keep(judge.staging, fleet, grantKey(record), isStaging(record))
      if (record.activateUntilMs !== null) judge.mayActivate.add(attemptKey(record))
    } else if (write.kind === 'forgetRollout') {
      const { hostIds, rolloutId } = write.record
      const fleet = fleetNameOf(rolloutId)
      for (const hostId of hostIds) {
        keep(judge.unavailable, fleet, grantKey({ hostId, rolloutId }), false)
        keep(judge.staging, fleet, grantKey({ hostId, rolloutId }), false)
      }
    }
  }
}

function keep(sets: Map<string, Set<string>>, fleet: string, key: string, isIn: boolean): void {
  const set = sets.get(fleet) ?? new Set()
  sets.set(fleet, set)
  if (isIn) set.add(key)
  else set.delete(key)
}

/** How many would be in the set once these writes are durable. */
export function countAfter(
  set: ReadonlySet<string> | undefined,
  writes: readonly Write[],
  counts: { readonly fleet: string; readonly isIn: (grant: GrantRecord) => boolean },
): number {
  let count = set?.size ?? 0
  for (const write of writes) {
    if (write.kind !== 'grant' || fleetNameOf(write.record.rolloutId) !== counts.fleet) continue
    count += Number(counts.isIn(write.record)) - Number(set?.has(grantKey(write.record)) === true)
  }
  return count
}

/** Who is in which fleet, recomputed when git or an enrolment changed. */
export function recountMembers(judge: Judge, world: World): void {
  const { store, wanted } = world.controller
  judge.wanted = wanted
  const members = new Map<string, Set<string>>()
  for (const { hostId } of store.enrolments.values()) {
    const owners = ownersOf(world, hostId)
    const [owner] = owners
    if (owner === undefined || owners.length > 1) continue
    const set = members.get(owner) ?? new Set()
    members.set(owner, set.add(hostId))
  }
  judge.members = members
}
