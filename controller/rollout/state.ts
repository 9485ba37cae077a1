import type { Queue } from './order.ts'
import type {
  EnrolmentRecord,
  FleetRecord,
  GrantRecord,
  HostRecord,
  Now,
  RolloutRecord,
  WantedFleet,
  Write,
} from './types.ts'

/**
 * The engine's memory: records, plus counters and queues derived from them. `apply` consumes the state it is given
 * and returns it changed; who needs both must `open` again. Only this folder may look inside.
 */
export type RolloutEngineState = {
  commit: string
  /** Null until the source was read after a start: until then nothing new is granted. */
  wanted: ReadonlyMap<string, WantedFleet> | null
  readonly fleets: Map<string, Fleet>
  readonly rollouts: Map<string, Rollout>
  readonly hosts: Map<string, Host>
  /** Every bounded wait, soonest first; see deadlineKey. */
  readonly deadlines: Queue
  /** Rollouts that are taken out of `rollouts` but not yet out of the store, with the hosts whose grants are left. */
  readonly toForget: Map<string, readonly string[]>
}

export type Fleet = {
  record: FleetRecord
  /** Hosts that this fleet alone selects. */
  readonly members: Set<string>
  /** Hosts of any of its rollouts past an activate grant and not yet healthy, but those that were broken before. */
  unavailable: number
  /** Hosts of any of its rollouts with a lease to pull and deploy. */
  staging: number
}

export type Rollout = {
  record: RolloutRecord
  /** One per wave, and at the end the tail: hosts that joined later. */
  readonly buckets: readonly Bucket[]
  /** Hashing is what an event of one host would otherwise cost most. */
  readonly orderKeys: Map<string, string>
  /** Time counted into a wave since the header was written. */
  unsavedMs: number
}

/** Counters and queues of one wave; the sum of the classes is `members`. */
export type Bucket = {
  members: number
  pending: number
  inProgress: number
  succeeded: number
  failed: number
  skipped: number
  /** Of pending: not to be reached, or never heard of. */
  silent: number
  /** Of inProgress: staged without a lease, and not to be reached. */
  silentStaged: number
  /** Of inProgress: granted activation. */
  activated: number
  regressed: number
  /** Need stable again, in a rollback. */
  toRollBack: number
  /** Failed to take stable again. */
  rollbackFailed: number
  /** Reachable hosts that need a first grant. */
  readonly toStage: Queue
  /** Reachable hosts that are staged and hold no lease. */
  readonly toActivate: Queue
}

export type Host = {
  readonly id: string
  enrolment: EnrolmentRecord | null
  record: HostRecord | null
  connected: boolean
  /** Wanted fleets that select it; it belongs to one only when it is the only one. */
  owners: readonly string[]
  readonly grants: Map<string, GrantRecord>
  /** What this host adds to counters and queues, to be taken back before it changes. */
  contributions: readonly Contribution[]
}

export type HostClass = 'pending' | 'inProgress' | 'succeeded' | 'failed' | 'skipped'

export type Mark = 'silent' | 'silentStaged' | 'activated' | 'regressed' | 'toRollBack' | 'rollbackFailed'

/** What one host adds to one counter or queue. */
export type Contribution =
  | { readonly kind: 'member'; readonly fleet: Fleet }
  | { readonly kind: 'unavailable' | 'staging'; readonly fleet: Fleet }
  | { readonly kind: 'deadline'; readonly key: string }
  | {
      readonly kind: 'bucket'
      readonly bucket: Bucket
      readonly class: HostClass
      readonly marks: readonly Mark[]
      readonly toStage: string | null
      readonly toActivate: string | null
    }

/** One call of `apply`: what it changes outside. Later writes of the same key replace earlier ones. */
export type Changes = {
  readonly now: Now
  readonly writes: Map<string, Write>
  readonly publishes: Set<string>
  /** Something is left that must wait until the writes above are durable. */
  again: boolean
}

export function noChanges(now: Now): Changes {
  return { now, writes: new Map(), publishes: new Set(), again: false }
}

export function emptyState(): RolloutEngineState {
  return {
    commit: '',
    wanted: null,
    fleets: new Map(),
    rollouts: new Map(),
    hosts: new Map(),
    deadlines: [],
    toForget: new Map(),
  }
}

export function fleetOf(state: RolloutEngineState, name: string): Fleet {
  const known = state.fleets.get(name)
  if (known !== undefined) return known
  const record: FleetRecord = { fleet: name, generation: 0, stable: null, denied: [], rolloutId: null }
  const fleet: Fleet = { record, members: new Set(), unavailable: 0, staging: 0 }
  state.fleets.set(name, fleet)
  return fleet
}

export function hostOf(state: RolloutEngineState, id: string): Host {
  const known = state.hosts.get(id)
  if (known !== undefined) return known
  const host: Host = {
    id,
    enrolment: null,
    record: null,
    connected: false,
    owners: [],
    grants: new Map(),
    contributions: [],
  }
  state.hosts.set(id, host)
  return host
}

export function currentRollout(state: RolloutEngineState, fleet: Fleet): Rollout | null {
  return (fleet.record.rolloutId === null ? undefined : state.rollouts.get(fleet.record.rolloutId)) ?? null
}

export function ownerOf(host: Host): string | null {
  return host.owners.length === 1 ? (host.owners[0] as string) : null
}

export function newRollout(record: RolloutRecord): Rollout {
  return { record, buckets: [...record.waves, null].map(emptyBucket), orderKeys: new Map(), unsavedMs: 0 }
}

function emptyBucket(): Bucket {
  return {
    members: 0,
    pending: 0,
    inProgress: 0,
    succeeded: 0,
    failed: 0,
    skipped: 0,
    silent: 0,
    silentStaged: 0,
    activated: 0,
    regressed: 0,
    toRollBack: 0,
    rollbackFailed: 0,
    toStage: [],
    toActivate: [],
  }
}

export function writeFleet(state: RolloutEngineState, changes: Changes, record: FleetRecord): void {
  fleetOf(state, record.fleet).record = record
  changes.writes.set(`fleet ${record.fleet}`, { kind: 'fleet', record })
}

export function writeRollout(rollout: Rollout, changes: Changes, record: RolloutRecord): void {
  rollout.record = record
  rollout.unsavedMs = 0
  changes.writes.set(`rollout ${record.id}`, { kind: 'rollout', record })
}

export function nameOf(host: Host): string {
  return host.enrolment?.name ?? host.id
}
