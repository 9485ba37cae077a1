import { matchesSelector } from '../desired-state/label-selector.ts'
import { isHeld } from './host-names.ts'
import { hashOf, rankOf } from './order.ts'
import { populationOf } from './population.ts'
import type { Population } from './population.ts'
import type { Fleet, Host, RolloutEngineState } from './state.ts'

/** Hosts looked up between two yields: some milliseconds, for each lies somewhere else in memory. */
const hostsAtOnce = 2_000

/**
 * `newest`: the greatest generation that any member has seen, of this fleet or of one that it left. An agent refuses
 * an older one, and a store that was lost must not fall behind the hosts.
 */
export function* populationFor(
  state: RolloutEngineState,
  fleet: Fleet,
  revision: string,
): Generator<undefined, { readonly population: Population; readonly newest: number }> {
  const hash = hashOf(revision)
  const hosts: Host[] = []
  let looked = 0
  let newest = state.seen.get(fleet.record.fleet) ?? 0
  for (const id of fleet.members) {
    const host = state.hosts.get(id) as Host
    newest = Math.max(newest, host.record?.report.plan?.generation ?? 0)
    // A wave must not consist of hosts whose turn does not come.
    if (host.pin === null && !isHeld(host)) hosts.push(host)
    looked += 1
    if (looked % hostsAtOnce === 0) yield
  }
  const ranks = new Float64Array(hosts.length)
  for (const [index, host] of hosts.entries()) {
    ranks[index] = rankOf(hash, host.hash)
    if (index % hostsAtOnce === 0) yield
  }
  const matches: Population['matches'] = (index, selector) =>
    matchesSelector(selector, (hosts[index] as Host).labels)
  return { population: populationOf(ranks, matches), newest }
}
