import type { HostPhase, RolloutState, WaveState } from './states.ts'

/** Of a rollout: "it is under way". */
export const rolloutWords: Readonly<Record<RolloutState['kind'], string>> = {
  Progressing: 'is under way',
  Paused: 'is paused',
  RollingBack: 'is rolling back',
  Succeeded: 'has succeeded',
  Aborted: 'was aborted',
  RolledBack: 'was rolled back',
  RollbackFailed: 'was rolled back, and hosts failed on the way',
  Superseded: 'was replaced by a newer one',
}

/** Of a wave: "it is soaking". */
export const waveWords: Readonly<Record<WaveState, string>> = {
  Pending: 'has not begun',
  Running: 'is under way',
  WaitingWindow: 'waits for a window',
  Soaking: 'is soaking',
  Analysing: 'is being measured',
  AwaitingApproval: 'waits for approval',
  Succeeded: 'has succeeded',
  Skipped: 'was skipped',
  Failed: 'has failed',
  Cancelled: 'was cancelled',
}

/** Of a host in a rollout: "it is downloading the image". */
export const hostWords: Readonly<Record<HostPhase, string>> = {
  Pending: 'has not got its turn yet',
  Granted: 'may begin',
  Downloading: 'is downloading the image',
  AwaitingSlot: 'has the image, and waits for its turn to reboot',
  Staged: 'has the image, and may reboot',
  Activating: 'is about to reboot',
  Rebooting: 'is rebooting',
  Verifying: 'runs its checks',
  Succeeded: 'runs the image, and its checks passed',
  RollingBack: 'goes back to the image before',
  Failed: 'could not take the image',
  Rejected: 'refuses the image',
  RolledBack: 'went back to the image before',
  TimedOut: 'did not say in time how it went',
  Inconclusive: 'reached nobody, with the image before neither',
  Skipped: 'was left out',
  Superseded: 'was left to a newer rollout',
  Cancelled: 'was told to leave it',
  Removed: 'is no longer in this fleet',
}
