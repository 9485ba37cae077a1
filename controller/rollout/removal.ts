import { matchesSelector } from '../desired-state/label-selector.ts'
import type { DesiredState } from '../desired-state/types.ts'
import { isReportOnly, nameOf, ownerOf } from './host-names.ts'
import type { Host, RolloutEngineState } from './state.ts'

/** More than this share of all hosts must not lose their fleet by one commit. */
const lostMaxPercent = 10
/** Enough to see which hosts are meant. */
const namesMax = 5

type Next = Pick<DesiredState, 'fleets' | 'hosts' | 'removable'>
type Loss = { readonly host: Host; readonly fleet: string }

/**
 * Why a commit must not come into force as it is: it removes a fleet that has hosts, or leaves too many hosts to no
 * fleet. Null: it may. A file of the commit names fleets of which that is meant; even then no host changes.
 */
export function refuseRemoval(state: RolloutEngineState, next: Next): string | null {
  const names = new Set(next.fleets.map(({ name }) => name))
  const total = [...state.hosts.values()].filter(
    (host) => host.enrolment !== null && !isReportOnly(host),
  ).length
  const losses = lossesOf(state, next)
  const removed = losses.filter(({ fleet }) => !names.has(fleet))
  const [first] = removed
  if (first !== undefined) {
    const count = removed.filter(({ fleet }) => fleet === first.fleet).length
    return `fleet "${first.fleet}" is gone and has ${hostsOf(count)} (${shown(removed)}); put it back, or name it in .bootfleet/allow-removal`
  }
  if (losses.length * 100 <= lostMaxPercent * total) return null
  const fleets = [...new Set(losses.map(({ fleet }) => fleet))].toSorted()
  return `${losses.length} of ${hostsOf(total)} would belong to no fleet (${shown(losses)}), more than ${lostMaxPercent} %; select them, or name their ${fleets.length === 1 ? 'fleet' : 'fleets'} ${fleets.join(', ')} in .bootfleet/allow-removal`
}

/** Hosts of a fleet that does not say it may lose them, and that no other one takes. */
function lossesOf(state: RolloutEngineState, next: Next): readonly Loss[] {
  const declared = new Map(next.hosts.map((host) => [host.name, host.labels]))
  const names = new Set(next.fleets.map(({ name }) => name))
  return [...state.hosts.values()].flatMap((host): Loss[] => {
    const fleet = fleetOf(state, host)
    if (fleet === null || next.removable.includes(fleet)) return []
    const labels = { ...host.enrolment?.labels, ...declared.get(nameOf(host)) }
    const owners = next.fleets.filter(({ selector }) => matchesSelector(selector, labels))
    return owners.length === 1 && names.has(fleet) ? [] : [{ host, fleet }]
  })
}

/** After a start nothing is wanted yet: then a host is where it was granted something last. */
function fleetOf(state: RolloutEngineState, host: Host): string | null {
  if (host.enrolment === null || isReportOnly(host)) return null
  if (state.wanted !== null) return ownerOf(host)
  const granted = [...host.grants.values()].toSorted((a, b) => b.grantedAtMs - a.grantedAtMs)
  const [last] = granted.map(({ rolloutId }) => state.rollouts.get(rolloutId))
  return last?.record.fleet ?? null
}

function hostsOf(count: number): string {
  return count === 1 ? '1 host' : `${count} hosts`
}

function shown(losses: readonly Loss[]): string {
  const names = losses.map(({ host }) => nameOf(host)).toSorted()
  const more = names.length > namesMax ? [`${names.length - namesMax} more`] : []
  return [...names.slice(0, namesMax), ...more].join(', ')
}
