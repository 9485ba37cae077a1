import { matchesSelector } from '../desired-state/label-selector.ts'
import type { Freeze, Strategy } from '../desired-state/types.ts'
import { isBroken } from './evidence.ts'
import type { Fleet, Host, RolloutEngineState } from './state.ts'
import { domainKey, domainsOf, refreshGroup } from './topology.ts'
import type { Domain, Holds } from './topology.ts'
import type { Now } from './now.ts'

/**
 * Limits are those that git has now, also for a rollout that began before they were written: only waves, gates and
 * what hosts are told stay as they were planned. A fleet that git does not want gets nothing.
 */
export function limitsOf(state: RolloutEngineState, fleet: Fleet): Limits {
  return state.wanted?.get(fleet.record.fleet)?.strategy ?? nothing
}

type Limits = Pick<Strategy, 'name' | 'maxUnavailable' | 'downloads' | 'rate' | 'budgets' | 'windows'>

const nothing: Limits = {
  name: '',
  maxUnavailable: { kind: 'count', count: 0 },
  downloads: { maxConcurrent: 0, prefetch: 'None' },
  rate: null,
  budgets: [],
  windows: [],
}

const free: Holds = { key: '', domains: [], freezes: [], isBroken: false }

/** What may hold a host back from its activation beside the limits of the whole fleet. */
export function holdsOf(state: RolloutEngineState, fleet: Fleet, host: Host): Holds {
  const limits = limitsOf(state, fleet)
  if (limits === nothing || (limits.budgets.length === 0 && state.freezes.length === 0)) return free
  const { labels } = host
  const domains = domainsOf(fleet.domains, limits.budgets, labels)
  const freezes = state.freezes
    .filter(({ except, selector }) => !except.includes(limits.name) && matchesSelector(selector, labels))
    .map(({ name }) => name)
  if (domains.length === 0 && freezes.length === 0) return free
  const broken = host.record !== null && isBroken(host.record.report)
  return { key: keyOf(domains, freezes, broken ? 'broken' : 'sound'), domains, freezes, isBroken: broken }
}

/** No label has a line end. */
function keyOf(
  domains: readonly Domain[],
  freezes: readonly string[],
  condition: 'broken' | 'sound',
): string {
  return [
    condition,
    ...domains.map(({ topologyKey, value }) => domainKey(topologyKey, value)),
    '',
    ...freezes,
  ].join('\n')
}

/** Freezes that began or ended since the last call. */
export function turnFreezes(state: RolloutEngineState, now: Now): void {
  const active = state.freezes.filter((freeze) => isActive(freeze, now))
  if (active.length === state.frozen.size && active.every(({ name }) => state.frozen.has(name))) return
  state.frozen = new Set(active.map(({ name }) => name))
  for (const rollout of state.rollouts.values()) {
    for (const { toActivate } of rollout.buckets) {
      for (const group of toActivate.groups.values()) refreshGroup(group, state.frozen)
    }
  }
}

/** From the first instant up to, not with, the last. */
function isActive({ fromMs, toMs }: Freeze, { wallMs }: Now): boolean {
  return fromMs <= wallMs && wallMs < toMs
}

/** Milliseconds until a freeze begins or ends; null when none will. */
export function timeToFreeze(state: RolloutEngineState, { wallMs }: Now): number | null {
  const turns = state.freezes.flatMap(({ fromMs, toMs }) => [fromMs, toMs]).filter((at) => at > wallMs)
  return turns.length === 0 ? null : Math.min(...turns) - wallMs
}

/** The budgets of git may be others now: their domains are counted anew as each host is. */
export function forgetDomains(state: RolloutEngineState): void {
  for (const fleet of state.fleets.values()) fleet.domains = new Map()
}
