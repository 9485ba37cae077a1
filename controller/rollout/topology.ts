import { sizeOf } from '../desired-state/amount.ts'
import type { Amount, TopologyBudget } from '../desired-state/types.ts'
import { dequeue, enqueue, firstOf, newQueue } from './queue.ts'
import type { Queue } from './queue.ts'

/** Hosts of a fleet that share a value of a label, and how many of them may be unavailable. */
export type Domain = {
  readonly topologyKey: string
  readonly value: string
  readonly maxUnavailable: Amount
  members: number
  /** Granted activation and not yet healthy, or not to be reached: a host that nobody hears may be down. */
  unavailable: number
  readonly groups: Set<WaitingGroup>
}

/** Staged hosts that the same domains and the same freezes hold; only its first one is ever looked at. */
export type WaitingGroup = {
  readonly waiting: Waiting
  readonly holds: Holds
  readonly queue: Queue
  /** Its entry among those that may go now. */
  readyKey: string | null
  isFrozen: boolean
}

export type Holds = {
  /** Distinct for each combination. */
  readonly key: string
  readonly domains: readonly Domain[]
  /** Names of the freezes that select the host. */
  readonly freezes: readonly string[]
  /** Down already, so that its update makes no domain worse. */
  readonly isBroken: boolean
}

/** All staged hosts of a wave; `ready` has the first host of each group that nothing but the whole fleet holds. */
export type Waiting = {
  readonly groups: Map<string, WaitingGroup>
  readonly ready: Queue
  size: number
  frozenGroups: number
}

export function newWaiting(): Waiting {
  return { groups: new Map(), ready: newQueue(), size: 0, frozenGroups: 0 }
}

/** The domains of a host by the budgets of its fleet; without the label it has none. */
export function domainsOf(
  domains: Map<string, Domain>,
  budgets: readonly TopologyBudget[],
  labels: Readonly<Record<string, string>>,
): readonly Domain[] {
  return budgets.flatMap(({ maxUnavailable, topologyKey }) => {
    const value = Object.hasOwn(labels, topologyKey) ? labels[topologyKey] : undefined
    if (value === undefined) return []
    const key = domainKey(topologyKey, value)
    const known = domains.get(key)
    if (known !== undefined) return [known]
    const domain = {
      topologyKey,
      value,
      maxUnavailable,
      members: 0,
      unavailable: 0,
      groups: new Set<never>(),
    }
    domains.set(key, domain)
    return [domain]
  })
}

export function domainKey(topologyKey: string, value: string): string {
  return `${topologyKey}=${value}`
}

/** A share rounds up to at least one, so that a group of one may move; a written 0 means none. */
export function allowedIn(domain: Domain): number {
  return sizeOf(domain.maxUnavailable, domain.members, 'up-at-least-one')
}

export function shiftDomain(
  domain: Domain,
  by: { readonly members: number; readonly unavailable: number },
  frozen: ReadonlySet<string>,
): void {
  const before = fullnessOf(domain)
  domain.members += by.members
  domain.unavailable += by.unavailable
  if (fullnessOf(domain) === before) return
  for (const group of domain.groups) refreshGroup(group, frozen)
}

function fullnessOf(domain: Domain): 'none' | 'full' | 'room' {
  const allowed = allowedIn(domain)
  if (allowed === 0) return 'none'
  return domain.unavailable >= allowed ? 'full' : 'room'
}

/** The first domain that leaves no room for the host. */
export function fullDomain({ domains, isBroken }: Holds): Domain | null {
  return domains.find((domain) => !hasRoom(domain, isBroken)) ?? null
}

/** Where nothing may be unavailable nothing moves; otherwise a broken host is no more unavailable than before. */
function hasRoom(domain: Domain, isBroken: boolean): boolean {
  const fullness = fullnessOf(domain)
  return fullness === 'room' || (isBroken && fullness === 'full')
}

export function join(waiting: Waiting, at: WaitingPlace, frozen: ReadonlySet<string>): void {
  const { holds, key } = at
  let group = waiting.groups.get(holds.key)
  if (group === undefined) {
    group = { waiting, holds, queue: newQueue(), readyKey: null, isFrozen: false }
    waiting.groups.set(holds.key, group)
    for (const domain of holds.domains) domain.groups.add(group)
  }
  waiting.size += 1
  enqueue(group.queue, key)
  refreshGroup(group, frozen)
}

export type WaitingPlace = { readonly key: string; readonly holds: Holds }

export function leave(waiting: Waiting, { holds, key }: WaitingPlace, frozen: ReadonlySet<string>): void {
  // What is counted was joined by the very same holds.
  const group = waiting.groups.get(holds.key) as WaitingGroup
  waiting.size -= 1
  dequeue(group.queue, key)
  refreshGroup(group, frozen)
  if (group.queue.size > 0) return
  waiting.groups.delete(holds.key)
  waiting.frozenGroups -= Number(group.isFrozen)
  for (const domain of holds.domains) domain.groups.delete(group)
}

/** After anything that holds a group changed: puts its first host among the ready ones, or takes it out. */
export function refreshGroup(group: WaitingGroup, frozen: ReadonlySet<string>): void {
  const isFrozen = group.holds.freezes.some((name) => frozen.has(name))
  group.waiting.frozenGroups += Number(isFrozen) - Number(group.isFrozen)
  group.isFrozen = isFrozen
  const isHeld = isFrozen || fullDomain(group.holds) !== null
  const readyKey = isHeld ? null : (firstOf(group.queue) ?? null)
  if (readyKey === group.readyKey) return
  if (group.readyKey !== null) dequeue(group.waiting.ready, group.readyKey)
  if (readyKey !== null) enqueue(group.waiting.ready, readyKey)
  group.readyKey = readyKey
}
