import type {
  Analysis,
  Deadlines,
  FailureLimit,
  Fleet as FleetDeclaration,
  Health,
  OnFailure,
  Retry,
  RollbackPolicy,
  Selector,
  Strategy,
  Wave,
} from '../desired-state/types.ts'
import type { HostReport } from './report.ts'
import type { Running } from './running.ts'
import type { Gate, HostPhase, RolloutState, WaveState } from './states.ts'
import type { ResolvedImage, WantedPermit } from './wanted.ts'

/** Git: written in the fleet itself, and only for as long; never stored. Host: learned from hosts' reports. */
export type DenialOrigin = 'Rollback' | 'Operator' | 'Git' | 'Host'

export type DeniedDigest = {
  readonly digest: string
  readonly reason: string
  readonly atMs: number
  readonly origin: DenialOrigin
  /** Who denied it; empty when the engine or git did. */
  readonly actor: string
}

/** What somebody decided, kept on the record that it concerns. */
export type VerbRecord = {
  readonly atMs: number
  readonly actor: string
  readonly verb: string
  readonly reason: string
}

type Said = { readonly atMs: number; readonly actor: string; readonly reason: string }

/** Nothing is granted until it is taken back. */
export type Halt = Said

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
  /** Digests that hosts may take again although they fell back from them: an operator allowed them. */
  readonly allowed: readonly string[]
  readonly halted: Halt | null
  /** Newest last, at most 32. */
  readonly log: readonly VerbRecord[]
  /** Rollout that serves the fleet now (running, paused, or keeper); null before the first. */
  readonly rolloutId: string | null
}

/** One value: what holds for every fleet. */
export type EveryFleetRecord = { readonly halted: Halt | null; readonly log: readonly VerbRecord[] }

/** What one analysis found in one wave. */
export type MeasurementRecord = {
  readonly analysis: string
  readonly passed: number
  readonly failed: number
  readonly inconclusive: number
  /** Passed at least once after the soak ended: what lets the wave go on. */
  readonly passedAfterSoak: boolean
  /** Null before the first. */
  readonly last: Measurement['kind'] | null
  readonly detail: string
  /** Time of the wave's gate until the next one is due; time that the controller was down is none. */
  readonly dueInMs: number
}

export type Measurement = {
  readonly kind: 'Passed' | 'Failed' | 'Inconclusive'
  /** A sentence for an operator: what was asked and what came back. */
  readonly detail: string
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
  /** Only hosts with these labels; null: every host. */
  readonly selector: Selector | null
  readonly soakMs: number
  /** Time soaked so far; controller down time does not count. */
  readonly soakedMs: number
  /** Running time so far, against the wave's deadline. */
  readonly ranMs: number
  readonly failureLimit: FailureLimit
  readonly onFailure: OnFailure
  /** Inconclusive attempts after which an operator resumed: they pause no more. */
  readonly forgiven: number
  readonly successThresholdPercent: number
  readonly maxSkippedPercent: number
  readonly onEmpty: Wave['onEmpty']
  readonly approval: Wave['approval']
  /** Time it has waited for approval so far, against the expiry. */
  readonly awaitedMs: number
  /** One per person; fewer than must, until `approved` is set. */
  readonly approvals: readonly Said[]
  /** The one that was the last to be needed. */
  readonly approved: Said | null
  /** One per analysis that was measured in this wave. */
  readonly measured: readonly MeasurementRecord[]
  /** The newest order to pass the gate that it was at, kept because it is the wave's only proof. */
  readonly promoted: {
    readonly gate: Gate
    readonly actor: string
    readonly reason: string
    readonly atMs: number
  } | null
  /** Promoted past its hosts: whoever holds no lease is left to the keeper. */
  readonly leavesBehind: boolean
  /** Failed and no longer healthy hosts of which an operator said: go on. */
  readonly forgivenFailures: number
  readonly forgivenRegressions: number
  /** Why it is Skipped, or what is remarkable about how it ended; empty when nothing is. */
  readonly note: string
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
    readonly analysis: readonly Analysis[]
    readonly rollback: RollbackPolicy
    readonly retry: Retry
  }
  /** As git had it when the rollout began; absent: Off. */
  readonly lint?: FleetDeclaration['lint']
  /** As git had them when the rollout began; absent: none. */
  readonly permits?: readonly WantedPermit[]
  readonly waves: readonly WaveRecord[]
  readonly state: RolloutState
  /** Newest last, at most 32. */
  readonly log: readonly VerbRecord[]
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
  /** What this attempt is for when it is neither of the two: an image on the way there, or the host's pin. */
  readonly image: ResolvedImage | null
  /** Of the host's pin: says nothing about the rollout. */
  readonly pinned: boolean
  /** For the kernel's line, as git had it when the attempt began; absent: none. */
  readonly kernelArguments?: readonly string[]
  /** An earlier attempt for the rollout's own image failed, before a pin took its place. */
  readonly failedBefore: boolean
  readonly stageUntilMs: number | null
  readonly activateUntilMs: number | null
  /** When its last activation was granted, in this attempt or one before: what the rate counts. */
  readonly activateGrantedAtMs: number | null
  /** Attempts beyond the first that each step of this direction took. */
  readonly retries: { readonly download: number; readonly stage: number }
  /** Pending until then, because a step failed; null: not for that. */
  readonly notBeforeMs: number | null
  /** Boot id known when activation was granted: success needs another one. */
  readonly bootIdBefore: string | null
  /** Already unavailable when activation was granted: takes no slot of maxUnavailable. */
  readonly brokenBefore: boolean
  /** Attempts that ended in failure, this one included: an order to try again does not make them forgotten. */
  readonly failures: number
  /** An operator's order to try again, and the wave that the host is counted in since. */
  readonly retried: { readonly wave: number; readonly actor: string; readonly atMs: number } | null
  /** Attempts in this direction that ended Inconclusive, this one included. */
  readonly inconclusive: number
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
  /** Absent in records of controllers before it was kept; see runningOf. */
  readonly running?: Running | undefined
  /** The newest local move after which an operator let it go on. */
  readonly resumed?: (Said & { readonly moveId: string }) | undefined
}

/** What an operator decided about a host when it joined; key: host id. */
export type EnrolmentRecord = {
  readonly hostId: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly enrolledAtMs: number
  /** Absent: it is trusted. A host that is revoked has no fleet, connection, certificate or new plan. */
  readonly revoked?: Revocation | undefined
}

export type Revocation = { readonly atMs: number; readonly actor: string; readonly reason: string }

export type Records = {
  readonly fleets: readonly FleetRecord[]
  readonly rollouts: readonly RolloutRecord[]
  readonly grants: readonly GrantRecord[]
  readonly hosts: readonly HostRecord[]
  readonly enrolments: readonly EnrolmentRecord[]
  /** Null: nothing was ever decided for every fleet. */
  readonly everyFleet: EveryFleetRecord | null
}
