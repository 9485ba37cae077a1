import type { Freeze, HostDeclaration } from '../desired-state/types.ts'
import type { Versions } from './barriers.ts'
import type { Job } from './jobs.ts'
import type { Hash } from './order.ts'
import type { Queue } from './queue.ts'
import type {
  EnrolmentRecord,
  EveryFleetRecord,
  FleetRecord,
  GrantRecord,
  HostRecord,
  RolloutRecord,
} from './records.ts'
import type { Domain, Waiting, WaitingPlace } from './topology.ts'
import type { ResolvedImage, WantedFleet } from './wanted.ts'
import type { Schedule } from './windows.ts'

/**
 * The engine's memory: records, plus counters and queues derived from them. `apply` consumes the state it is given
 * and returns it changed; who needs both must `open` again. Only this folder may look inside.
 */
export type RolloutEngineState = {
  commit: string
  /** Null until the source was read after a start: until then nothing new is granted. */
  wanted: ReadonlyMap<string, WantedFleet> | null
  /** By name of host. */
  declarations: ReadonlyMap<string, HostDeclaration>
  freezes: readonly Freeze[]
  /** Names of the freezes that hold now. */
  frozen: ReadonlySet<string>
  everyFleet: EveryFleetRecord
  /** Of every image that somebody named. */
  readonly versions: Versions
  /** When holds end, soonest first. */
  holdEnds: readonly HoldEnd[]
  openedAtMs: number
  /** Time since it was opened. */
  openForMs: number
  /** Fleets of which only hosts know that they had rollouts, and since when that is known in `openForMs`. */
  readonly lost: Map<string, number>
  /** By fleet: the greatest generation that hosts know and the store does not. */
  readonly seen: Map<string, number>
  /** Enrolments outlived what else was lost: then it is known who is missing. */
  knewHosts: boolean
  readonly fleets: Map<string, Fleet>
  readonly rollouts: Map<string, Rollout>
  readonly hosts: Map<string, Host>
  /** Every bounded wait, soonest first; see deadlineKey. */
  readonly deadlines: Queue
  /** What is done a part at a time; see jobs.ts. */
  readonly jobs: Job[]
  /** Rollouts that are taken out of `rollouts` but not yet out of the store, with the hosts whose grants are left. */
  readonly toForget: Map<string, readonly string[]>
}

export type HoldEnd = { readonly atMs: number; readonly hostId: string }

export type Fleet = {
  record: FleetRecord
  /** Hosts that this fleet alone selects. */
  readonly members: Set<string>
  /** Of these: never heard of, as far as the store knows. */
  unheard: number
  /** Hosts of any of its rollouts past an activate grant and not yet healthy, but those that were broken before. */
  unavailable: number
  /** Hosts of any of its rollouts with a lease to pull and deploy. */
  staging: number
  /** By label and value, of the budgets that git wants now. */
  domains: Map<string, Domain>
  /** Null until somebody asked. */
  schedule: Schedule | null
  /** When activations were granted in the last minute, ascending; see rate.ts. */
  readonly activationsMs: number[]
}

export type Rollout = {
  record: RolloutRecord
  /** One per wave, and at the end the tail: hosts that joined later. */
  readonly buckets: readonly Bucket[]
  readonly revisionHash: Hash
  /** Hosts with a grant of it that is not over. */
  readonly open: Set<string>
  /** Time counted into a wave since the header was written. */
  unsavedMs: number
  /** It was aborted, and what its hosts may still be kept from doing is not yet taken back. */
  leasesLeft: boolean
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
  /** Of succeeded: ran the image before. */
  adopted: number
  /** Of any class: held or pinned in git, so that the wave does not wait for them. */
  exempt: number
  /** Attempts that ended Inconclusive; a host may have had several. */
  inconclusive: number
  /** Need stable again, in a rollback. */
  toRollBack: number
  /** Failed to take stable again. */
  rollbackFailed: number
  /** Of those to stage, in whichever bucket they queue: for their pins, which no rollback waits for. */
  pinsToStage: number
  /** Reachable hosts that need a first grant. */
  readonly toStage: Queue
  /** Reachable hosts that are staged and hold no lease. */
  readonly toActivate: Waiting
}

export type Host = {
  readonly id: string
  readonly hash: Hash
  enrolment: EnrolmentRecord | null
  /** Kept by assignOwner; see labelsOf. */
  labels: Readonly<Record<string, string>>
  record: HostRecord | null
  connected: boolean
  /** From git: runs this instead of its fleet's image; null there means that it could not be resolved yet. */
  pin: { readonly digest: string; readonly image: ResolvedImage | null } | null
  /** From git, while it is in force. */
  hold: { readonly untilMs: number | null; readonly reason: string } | null
  /** Nothing would lead it back from an image that does not boot, and git does not allow that. */
  unguarded: boolean
  /** From git, where it takes them: for the kernel's line of what it is given from here on. */
  kernelArguments: readonly string[]
  /** It reported since the engine was opened. */
  heard: boolean
  /** Wanted fleets that select it; it belongs to one only when it is the only one. */
  owners: readonly string[]
  readonly grants: Map<string, GrantRecord>
  /** What this host adds to counters and queues, to be taken back before it changes. */
  contributions: readonly Contribution[]
}

export type HostClass = 'pending' | 'inProgress' | 'succeeded' | 'failed' | 'skipped'

export type Mark =
  | 'silent'
  | 'silentStaged'
  | 'activated'
  | 'regressed'
  | 'adopted'
  | 'exempt'
  | 'toRollBack'
  | 'rollbackFailed'
  | 'pinsToStage'

/** What one host adds to one counter or queue. */
export type Contribution =
  | { readonly kind: 'member'; readonly fleet: Fleet; readonly unheard: number }
  | { readonly kind: 'unavailable' | 'staging'; readonly fleet: Fleet }
  | {
      readonly kind: 'domain'
      readonly domain: Domain
      readonly members: number
      readonly unavailable: number
    }
  | { readonly kind: 'open'; readonly rollout: Rollout }
  | { readonly kind: 'deadline'; readonly key: string }
  | {
      readonly kind: 'bucket'
      readonly bucket: Bucket
      /** Where it waits for its turn. */
      readonly queues: Bucket
      readonly class: HostClass
      readonly marks: readonly Mark[]
      readonly inconclusive: number
      readonly toStage: string | null
      readonly toActivate: WaitingPlace | null
    }
