import { recount } from './contribution.ts'
import { eachHost } from './jobs.ts'
import { isEnded } from './phases.ts'
import { hostOf } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Host, RolloutEngineState } from './state.ts'

/** Newest rollouts kept per fleet, the current one included: what status shows. */
export const keptPerFleet = 20

/** Keys deleted in one decision. */
export const forgottenAtOnce = 1_000

/**
 * Takes out of memory every rollout that nobody needs any more, and queues it and grants without a rollout for
 * deletion. Kept: the newest of each fleet, the one that serves it, the one that made stable, and every one with a
 * host still in flight. From here on a late report about such a rollout changes nothing.
 */
export function chooseForgotten(state: RolloutEngineState, changes: Changes): void {
  const inFlight = new Set<string>()
  const hostsOf = new Map<string, string[]>()
  const visit = (host: Host): void => {
    for (const grant of host.grants.values()) {
      if (!isEnded(grant.phase)) inFlight.add(grant.rolloutId)
      const hosts = hostsOf.get(grant.rolloutId)
      if (hosts === undefined) hostsOf.set(grant.rolloutId, [host.id])
      else hosts.push(host.id)
    }
  }
  const after = (): void => {
    for (const id of oldRollouts(state)) {
      if (inFlight.has(id)) continue
      state.rollouts.delete(id)
      state.toForget.set(id, hostsOf.get(id) ?? [])
    }
    for (const [id, hosts] of hostsOf) if (!state.rollouts.has(id)) state.toForget.set(id, hosts)
  }
  eachHost(state, { concerns: { kind: 'none' }, visit, after }, changes)
}

/** Without an old rollout nothing is looked for: what a crash left without a header was found at the start. */
export function forgetOld(state: RolloutEngineState, changes: Changes): void {
  if (oldRollouts(state).length > 0) chooseForgotten(state, changes)
}

function oldRollouts(state: RolloutEngineState): readonly string[] {
  const seen = new Map<string, number>()
  return [...state.rollouts.values()]
    .toSorted((a, b) => b.record.generation - a.record.generation)
    .filter(({ record: { fleet, id } }) => {
      const newer = seen.get(fleet) ?? 0
      seen.set(fleet, newer + 1)
      const serves = state.fleets.get(fleet)?.record
      return newer >= keptPerFleet && serves?.rolloutId !== id && serves?.stable?.rolloutId !== id
    })
    .map(({ record }) => record.id)
}

/** Deletes a bounded part of what was chosen. A host whose grant is gone may need another, so the rest follows at once. */
export function forgetSome(state: RolloutEngineState, changes: Changes): void {
  let left = forgottenAtOnce
  for (const [rolloutId, hosts] of state.toForget) {
    if (left === 0) return
    const hostIds = hosts.slice(0, left - 1)
    const rest = hosts.slice(hostIds.length)
    for (const id of hostIds) {
      const host = hostOf(state, id)
      recount(state, host, () => host.grants.delete(rolloutId))
    }
    if (rest.length === 0) state.toForget.delete(rolloutId)
    else state.toForget.set(rolloutId, rest)
    left -= hostIds.length + 1
    const record = { rolloutId, hostIds, withHeader: rest.length === 0 }
    changes.writes.set(`forget ${rolloutId}`, { kind: 'forgetRollout', record })
    changes.again = true
  }
}
