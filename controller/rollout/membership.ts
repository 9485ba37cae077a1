import { matchesSelector } from '../desired-state/label-selector.ts'
import { recount } from './contribution.ts'
import { withdraw } from './grants.ts'
import { ownerOf } from './state.ts'
import type { Changes, Host, RolloutEngineState } from './state.ts'

/**
 * Gives the host to the fleets that select it, and takes back what a fleet that it left had granted. A fleet that
 * is missing from the commit is not a fleet that the host left: its hosts stay as they are.
 */
export function assignOwner(state: RolloutEngineState, changes: Changes, host: Host): void {
  const { enrolment } = host
  const wanted = [...(state.wanted?.values() ?? [])]
  const owners =
    enrolment === null
      ? []
      : wanted.filter((fleet) => matchesSelector(fleet.selector, enrolment.labels)).map((fleet) => fleet.name)
  recount(state, host, () => {
    host.owners = owners.toSorted()
  })
  if (state.wanted === null) return
  for (const grant of host.grants.values()) {
    const fleet = state.rollouts.get(grant.rolloutId)?.record.fleet
    if (fleet !== undefined && state.wanted.has(fleet) && fleet !== ownerOf(host)) {
      withdraw(state, changes, { grant, phase: 'Removed', message: `left fleet ${fleet}` })
    }
  }
}
