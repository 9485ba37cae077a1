import type { Analysis, Fleet, Health } from '../desired-state/types.ts'
import type { ReleaseSignature } from './wanted.ts'
import type { EveryFleetRecord, FleetRecord, GrantRecord, HostRecord, RolloutRecord } from './records.ts'

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
  | { readonly kind: 'everyFleet'; readonly record: EveryFleetRecord }
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
    readonly signatures?: readonly ReleaseSignature[]
  }
  readonly stageUntilMs: number | null
  readonly activateUntilMs: number | null
  readonly health: Health & { readonly deadlineMs: number }
  readonly deny: readonly string[]
  /** Taken although the host fell back from them before. */
  readonly allow: readonly string[]
  readonly lint: Fleet['lint']
  /** Absent: none. */
  readonly kernelArguments?: readonly string[]
  /** Absent: none. */
  readonly permits?: readonly string[]
  /** The local move after which an operator let the host go on; absent: it has none. */
  readonly resumed?: string
  readonly commit: string
}

/** One measurement that a wave waits for. */
export type WantedMeasurement = {
  readonly rolloutId: string
  readonly wave: string
  readonly analysis: Analysis
}

export type Decision = {
  readonly writes: readonly Write[]
  /** Due now; named again by every decision until a `measured` event answers, so one in flight is enough. */
  readonly measures: readonly WantedMeasurement[]
  /** Published after every write above is durable. */
  readonly publishes: readonly PlanIntent[]
  /** Call again with a timer event no later than this many milliseconds from now; null: nothing to wait for. */
  readonly wakeInMs: number | null
}
