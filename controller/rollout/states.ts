export type RolloutState =
  | { readonly kind: 'Progressing' }
  | { readonly kind: 'Paused'; readonly cause: PauseCause }
  /** Re-applying stable after a failure; ends RolledBack or RollbackFailed. */
  | { readonly kind: 'RollingBack'; readonly cause: string }
  | { readonly kind: 'Succeeded'; readonly atMs: number }
  /** Ended by an operator: hosts keep what they run, and its revision is not begun again by itself. */
  | { readonly kind: 'Aborted'; readonly atMs: number; readonly actor: string; readonly reason: string }
  | { readonly kind: 'RolledBack'; readonly atMs: number; readonly cause: string }
  | { readonly kind: 'RollbackFailed'; readonly atMs: number; readonly cause: string }
  | { readonly kind: 'Superseded'; readonly atMs: number; readonly by: string }

export type PauseCause =
  | { readonly kind: 'User'; readonly actor: string; readonly reason: string; readonly atMs: number }
  | { readonly kind: 'Failure'; readonly message: string; readonly atMs: number }
  /** Nobody approved in time. */
  | { readonly kind: 'Approval'; readonly message: string; readonly atMs: number }
  /** Nothing was proven either way: a measurement without an answer, or a wave that may not be empty. */
  | { readonly kind: 'Inconclusive'; readonly message: string; readonly atMs: number }
  | { readonly kind: 'Unreachable'; readonly message: string; readonly atMs: number }
  | { readonly kind: 'Deadline'; readonly message: string; readonly atMs: number }

export type WaveState =
  | 'Pending'
  | 'Running'
  /** Running, and no host may be granted anything before a window opens. */
  | 'WaitingWindow'
  | 'Soaking'
  | 'Analysing'
  | 'AwaitingApproval'
  | 'Succeeded'
  | 'Skipped'
  | 'Failed'
  | 'Cancelled'

/** What a wave may be held by, and what an operator may promote it past. */
export type Gate = 'Hosts' | 'Failures' | 'Soak' | 'Analysis' | 'Approval' | 'Empty'

/** Host phases in one rollout; ends are final but TimedOut, which late truth may correct. */
export type HostPhase =
  | 'Pending'
  | 'Granted'
  | 'Downloading'
  | 'Staged'
  | 'AwaitingSlot'
  | 'Activating'
  | 'Rebooting'
  | 'Verifying'
  | 'Succeeded'
  | 'RollingBack'
  | 'Failed'
  | 'Rejected'
  | 'RolledBack'
  | 'TimedOut'
  /** Fell back because it reached nobody, before and after: says nothing about the image. */
  | 'Inconclusive'
  | 'Skipped'
  | 'Superseded'
  | 'Cancelled'
  | 'Removed'

/** What may hold of a host beside its phase, at any step of a rollout. */
export type HostCondition =
  | 'ReportOnly'
  | 'Unreachable'
  | 'Revoked'
  | 'Pinned'
  | 'Held'
  | 'Drifted'
  | 'Drifted(local)'
  | 'MultipleOwners'
  | 'NoFleet'
  | 'PlansStale'

/** Phases of the agent's update machine. */
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

/** Why a host is not progressing: exactly one, the first that blocks. */
export type BlockingReason =
  /** No rollout has it, whatever git says. */
  | { readonly kind: 'ReportOnly' }
  | { readonly kind: 'NoFleet' }
  | { readonly kind: 'MultipleOwners'; readonly fleets: readonly string[] }
  | { readonly kind: 'FleetNotWanted' }
  | { readonly kind: 'Suspended' }
  /** Its fleet follows another one, which has not succeeded with anything for long enough. */
  | { readonly kind: 'NothingToFollow'; readonly fleet: string }
  /** What git names does not have the signature that git asks for. */
  | { readonly kind: 'Unverified'; readonly message: string }
  | { readonly kind: 'Denied'; readonly digest: string; readonly reason: string }
  | {
      readonly kind: 'Halted'
      /** The one that was halted; null: every one. */
      readonly fleet: string | null
      readonly actor: string
      readonly reason: string
    }
  | { readonly kind: 'Held'; readonly reason: string; readonly inMs: number | null }
  /** Its boot loader counts no tries, and its Host in git does not allow that. */
  | { readonly kind: 'Unguarded'; readonly host: string }
  /** A person on it chose what it boots; digest null: of an image that nobody knows. */
  | {
      readonly kind: 'Drifted(local)'
      readonly host: string
      readonly user: string
      readonly command: string
      readonly digest: string | null
      readonly atMs: number
      readonly agoMs: number
    }
  /** Runs what it is pinned to. */
  | { readonly kind: 'Pinned'; readonly digest: string }
  | { readonly kind: 'PinNotFound'; readonly digest: string }
  /** Versions of what is wanted and of what would be left. */
  | { readonly kind: 'Downgrade'; readonly to: string; readonly from: string }
  | { readonly kind: 'UnknownVersion'; readonly below: string; readonly reason: string }
  /** The store was lost: hosts are asked first what was denied. */
  | { readonly kind: 'Learning'; readonly inMs: number }
  /** It never had a rollout, or the store was lost with all that these hosts were denied. */
  | { readonly kind: 'FirstReports'; readonly hosts: number; readonly inMs: number }
  | { readonly kind: 'RolloutPaused'; readonly cause: PauseCause }
  | { readonly kind: 'RolloutAborted'; readonly actor: string; readonly reason: string }
  | { readonly kind: 'WaitsForWave'; readonly wave: string }
  | LimitReason
  | { readonly kind: 'Unreachable' }
  | { readonly kind: 'NoManifestForArchitecture'; readonly architecture: string }
  | { readonly kind: 'OldRolloutInFlight'; readonly rolloutId: string }
  | {
      readonly kind: 'Ended'
      readonly phase: HostPhase
      readonly message: string
      /** Digest of what it was to take, where that is denied: then trying again is refused. */
      readonly denied?: string
    }

/** Passes by itself when others are done or time goes by, unless the limit is one that never lets anything pass. */
export type LimitReason =
  | { readonly kind: 'DownloadSlots'; readonly downloading: number; readonly allowed: number }
  | { readonly kind: 'MaxUnavailable'; readonly unavailable: number; readonly allowed: number }
  /** Of its label's value as many as may be are unavailable; hosts that nobody hears are among them. */
  | {
      readonly kind: 'TopologyBudget'
      readonly topologyKey: string
      readonly value: string
      readonly unavailable: number
      readonly allowed: number
    }
  | { readonly kind: 'Freeze'; readonly name: string; readonly inMs: number }
  | WindowReason
  /** Staged ahead of its wave. */
  | { readonly kind: 'Prefetched'; readonly wave: string }
  /** So many activations have been granted within a minute as the rate is now. */
  | { readonly kind: 'Rate'; readonly perMinute: number; readonly inMs: number }
  /** Its download or its staging failed; attempt `retry` of `limit` beyond the first follows. */
  | {
      readonly kind: 'Backoff'
      readonly message: string
      readonly inMs: number
      readonly retry: number
      readonly limit: number
    }

/** `opens`: local time; `inMs` null: no window is long enough for `needMs`, the longest has `longestMs`. */
export type WindowReason = {
  readonly kind: 'Window'
  readonly action: 'Download' | 'Activate'
  readonly opens: string
  readonly inMs: number | null
  readonly needMs: number
  readonly longestMs: number
}
