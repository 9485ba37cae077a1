import type { Freeze, HostDeclaration } from '../desired-state/types.ts'
import type { EnrolmentRecord, Measurement } from './records.ts'
import type { ResumeHost } from './local-move.ts'
import type { HostReport } from './report.ts'
import type { WantedFleet } from './wanted.ts'

export type RolloutEvent =
  | { readonly kind: 'enrolled'; readonly enrolment: EnrolmentRecord }
  /** The whole of an accepted commit; a fleet missing from it stops granting and changes no host. */
  | {
      readonly kind: 'wanted'
      readonly commit: string
      readonly fleets: readonly WantedFleet[]
      readonly hosts: readonly HostDeclaration[]
      readonly freezes: readonly Freeze[]
    }
  | { readonly kind: 'report'; readonly hostId: string; readonly report: HostReport }
  | { readonly kind: 'connection'; readonly hostId: string; readonly connected: boolean }
  | RolloutVerb
  | RetryVerb
  | ({ readonly kind: 'resumeHost' } & ResumeHost)
  | {
      readonly kind: 'measured'
      readonly rolloutId: string
      readonly wave: string
      readonly analysis: string
      readonly outcome: Measurement
    }
  | {
      readonly kind: 'deny' | 'allow'
      readonly fleet: string
      readonly digest: string
      readonly actor: string
      readonly reason: string
    }
  | {
      readonly kind: 'halt' | 'unhalt'
      /** Null: every fleet, also one that comes later. */
      readonly fleet: string | null
      readonly actor: string
      readonly reason: string
    }
  | { readonly kind: 'timer' }

/** What an operator may tell a rollout. */
export type RolloutVerb = {
  readonly kind: 'pause' | 'resume' | 'promote' | 'approve' | 'abort' | 'rollback'
  readonly rolloutId: string
  /**
   * promote and approve: the wave whose gate the operator saw, so that the order says nothing about the next one
   * when it comes late or twice. Without it, the wave that the rollout is at.
   */
  readonly wave?: string
  readonly actor: string
  readonly reason: string
}

/** `hostId` null: every host of the rollout that failed, and a rollout that was aborted begins anew. */
export type RetryVerb = {
  readonly kind: 'retry'
  readonly rolloutId: string
  readonly hostId: string | null
  readonly actor: string
  readonly reason: string
}
