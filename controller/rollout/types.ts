import type {
  Deadlines,
  FailureLimit,
  Health,
  OnFailure,
  Selector,
  Strategy,
} from '../desired-state/types.ts'
import type { HostPhase, RolloutState, WaveState } from './states.ts'

/** Wall clock for expiries; elapsed = monotonic time since the last call, 0 after a start, for soak and deadlines. */
export type Now = { readonly wallMs: number; readonly elapsedMs: number }

/** An image after the registry answered: digests only from here on. */
export type ResolvedImage = {
  readonly repository: string
  /** What git or the tag named. */
  readonly digest: string
  /** For people; empty when the image says none. */
  readonly version: string
  /** Manifest digest by OCI architecture (amd64, arm64). */
  readonly manifests: Readonly<Record<string, string>>
}

/** One fleet as an accepted commit wants it. */
export type WantedFleet = {
  readonly name: string
  readonly selector: Selector
  readonly strategy: Strategy
  readonly suspend: boolean
  /** SHA-256 (hex) of what hosts are told; see canonicalRevisionInput. */
  readonly revision: string
  readonly image: ResolvedImage
}

// ---- records: what is stored, one small value per key ----

export type DeniedDigest = { readonly digest: string; readonly reason: string; readonly atMs: number }
export type StableImage = {
  readonly revision: string
  readonly rolloutId: string
  readonly image: ResolvedImage
}

/** Key: fleet name. */
export type FleetRecord = {
  readonly fleet: string
  /** Generation of the newest rollout; the next one takes this + 1. */
  readonly generation: number
  readonly stable: StableImage | null
  readonly denied: readonly DeniedDigest[]
  /** Rollout that serves the fleet now (running, paused, or keeper); null before the first. */
  readonly rolloutId: string | null
}

/**
 * A wave is a range of the fleet's order (hash of revision and host id): every frozen host whose order key is at
 * most `lastOrderKey` and above the wave before belongs to it. So membership is frozen, no host of another wave
 * moves when one leaves, and the header does not grow with the fleet.
 */
export type WaveRecord = {
  readonly name: string
  readonly state: WaveState
  readonly size: number
  readonly lastOrderKey: string
  readonly soakMs: number
  /** Time soaked so far; controller down time does not count. */
  readonly soakedMs: number
  /** Running time so far, against the wave's deadline. */
  readonly ranMs: number
  readonly failureLimit: FailureLimit
  readonly onFailure: OnFailure
}

/** Key: rollout id (`<fleet>.<generation>`). */
export type RolloutRecord = {
  readonly id: string
  readonly fleet: string
  readonly generation: number
  readonly revision: string
  /** Provenance: the commit that first wanted this revision. */
  readonly commit: string
  readonly image: ResolvedImage
  /** Stable when the rollout began: the rollback target, null for a fleet's first rollout. */
  readonly from: StableImage | null
  readonly startedAtMs: number
  /** Hosts in the fleet when it was planned; later ones are joiners. */
  readonly populationSize: number
  readonly strategy: {
    readonly maxUnavailable: Strategy['maxUnavailable']
    readonly deadlines: Deadlines
    readonly health: Health
  }
  readonly waves: readonly WaveRecord[]
  readonly state: RolloutState
  /** Leader's term that wrote it. */
  readonly term: number
}

/** A lease; key: rollout id + host id. Written before its plan is published. */
export type GrantRecord = {
  readonly rolloutId: string
  readonly hostId: string
  readonly generation: number
  readonly attempt: number
  /** Forward: the rollout's image. Back: stable, during a rollback. */
  readonly direction: 'Forward' | 'Back'
  readonly stageUntilMs: number | null
  readonly activateUntilMs: number | null
  /** Boot id known when activation was granted: success needs another one. */
  readonly bootIdBefore: string | null
  /** Already unavailable when activation was granted: takes no slot of maxUnavailable. */
  readonly brokenBefore: boolean
  /** Past the commit point the host may still end until here, then it is TimedOut. */
  readonly endBy: number | null
  readonly phase: HostPhase
  readonly message: string
  readonly grantedAtMs: number
  readonly endedAtMs: number | null
}

/** A host's last meaningful report; key: host id. Never heartbeats or byte progress. */
export type HostRecord = {
  readonly hostId: string
  readonly report: HostReport
  readonly receivedAtMs: number
}

/** What an operator decided about a host when it joined; key: host id. */
export type EnrolmentRecord = {
  readonly hostId: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly enrolledAtMs: number
}

export type Records = {
  readonly fleets: readonly FleetRecord[]
  readonly rollouts: readonly RolloutRecord[]
  readonly grants: readonly GrantRecord[]
  readonly hosts: readonly HostRecord[]
  readonly enrolments: readonly EnrolmentRecord[]
}

// ---- events ----

export type AgentPhase =
  | 'Idle'
  | 'Downloading'
  | 'Ready'
  | 'Staging'
  | 'Staged'
  | 'Activating'
  | 'Rebooting'
  | 'Verifying'
  | 'Healthy'
  | 'Failed'
  | 'RollingBack'
  | 'RolledBack'

/** What a host says about itself, as the engine reads it. */
export type HostReport = {
  readonly plan: {
    readonly rollout: string
    readonly generation: number
    readonly attempt: number
    readonly term: number
    readonly counter: number
  } | null
  readonly phase: AgentPhase
  readonly bootedDigest: string | null
  readonly bootedManifestDigest: string | null
  readonly targetDigest: string | null
  readonly bootId: string
  readonly health: {
    readonly verdict: 'Unknown' | 'Passed' | 'Failed'
    readonly failedChecks: readonly { readonly name: string; readonly detail: string }[]
  }
  readonly failure: { readonly code: string; readonly message: string } | null
  readonly architecture: string
  readonly deniedDigests: readonly string[]
  readonly phaseEnteredAtMs: number
}

export type RolloutEvent =
  | { readonly kind: 'enrolled'; readonly enrolment: EnrolmentRecord }
  /** The whole of an accepted commit; a fleet missing from it stops granting and changes no host. */
  | { readonly kind: 'wanted'; readonly commit: string; readonly fleets: readonly WantedFleet[] }
  | { readonly kind: 'report'; readonly hostId: string; readonly report: HostReport }
  | { readonly kind: 'connection'; readonly hostId: string; readonly connected: boolean }
  | {
      readonly kind: 'pause' | 'resume'
      readonly rolloutId: string
      readonly actor: string
      readonly reason: string
    }
  | { readonly kind: 'timer' }

// ---- decisions ----

/**
 * What is no longer needed of a rollout that ended: these hosts' grants, and then its header, so that whatever a
 * crash leaves is found again. A large rollout is forgotten in several decisions, the header with the last.
 */
export type ForgottenRollout = {
  readonly rolloutId: string
  readonly hostIds: readonly string[]
  readonly withHeader: boolean
}

/** Writes in the order in which they must be durable: deny and fleet first, then grants and hosts, then headers. */
export type Write =
  | { readonly kind: 'fleet'; readonly record: FleetRecord }
  | { readonly kind: 'grant'; readonly record: GrantRecord }
  | { readonly kind: 'host'; readonly record: HostRecord }
  | { readonly kind: 'rollout'; readonly record: RolloutRecord }
  | { readonly kind: 'forgetRollout'; readonly record: ForgottenRollout }

/** What a host's plan must say now; the publisher adds counter, term and times and publishes only what changed. */
export type PlanIntent = {
  readonly hostId: string
  readonly fleet: string
  readonly rollout: string
  readonly generation: number
  readonly attempt: number
  readonly image: {
    readonly repository: string
    readonly digest: string
    readonly manifestDigest: string
    readonly version: string
  }
  readonly stageUntilMs: number | null
  readonly activateUntilMs: number | null
  readonly health: Health & { readonly deadlineMs: number }
  readonly deny: readonly string[]
  readonly commit: string
}

export type Decision = {
  readonly writes: readonly Write[]
  /** Published after every write above is durable. */
  readonly publishes: readonly PlanIntent[]
  /** Call again with a timer event no later than this many milliseconds from now; null: nothing to wait for. */
  readonly wakeInMs: number | null
}
