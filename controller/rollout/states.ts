export type RolloutState =
  | { readonly kind: 'Progressing' }
  | { readonly kind: 'Paused'; readonly cause: PauseCause }
  /** Re-applying stable after a failure; ends RolledBack or RollbackFailed. */
  | { readonly kind: 'RollingBack'; readonly cause: string }
  | { readonly kind: 'Succeeded'; readonly atMs: number }
  | { readonly kind: 'RolledBack'; readonly atMs: number; readonly cause: string }
  | { readonly kind: 'RollbackFailed'; readonly atMs: number; readonly cause: string }
  | { readonly kind: 'Superseded'; readonly atMs: number; readonly by: string }

export type PauseCause =
  | { readonly kind: 'User'; readonly actor: string; readonly reason: string; readonly atMs: number }
  | { readonly kind: 'Failure'; readonly message: string; readonly atMs: number }
  | { readonly kind: 'Unreachable'; readonly message: string; readonly atMs: number }
  | { readonly kind: 'Deadline'; readonly message: string; readonly atMs: number }

export type WaveState = 'Pending' | 'Running' | 'Soaking' | 'Succeeded' | 'Skipped' | 'Failed' | 'Cancelled'

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
  | 'Skipped'
  | 'Superseded'
  | 'Cancelled'
  | 'Removed'

/** Why a host is not progressing: exactly one, the first that blocks. */
export type BlockingReason =
  | { readonly kind: 'NoFleet' }
  | { readonly kind: 'MultipleOwners'; readonly fleets: readonly string[] }
  | { readonly kind: 'FleetNotWanted' }
  | { readonly kind: 'Suspended' }
  | { readonly kind: 'Denied'; readonly digest: string; readonly reason: string }
  | { readonly kind: 'RolloutPaused'; readonly cause: PauseCause }
  | { readonly kind: 'WaitsForWave'; readonly wave: string }
  | { readonly kind: 'DownloadSlots'; readonly downloading: number; readonly allowed: number }
  | { readonly kind: 'MaxUnavailable'; readonly unavailable: number; readonly allowed: number }
  | { readonly kind: 'Unreachable' }
  | { readonly kind: 'NoManifestForArchitecture'; readonly architecture: string }
  | { readonly kind: 'OldRolloutInFlight'; readonly rolloutId: string }
  | { readonly kind: 'Ended'; readonly phase: HostPhase; readonly message: string }
