import type { AgentErrorCode } from './errors.ts'

/** Retry: the same may work later. Stall: only a newer plan, or a person, can change the outcome. */
export type Consequence = 'Retry' | 'Stall'

export const CONSEQUENCES: Readonly<Record<AgentErrorCode, Consequence>> = {
  AlreadyRunning: 'Stall',
  EnrolRefused: 'Stall',
  ControllerAway: 'Retry',
  ConfigInvalid: 'Stall',
  AdoptRefused: 'Stall',
  IdentityInvalid: 'Stall',
  StateUnwritable: 'Stall',
  PlansLost: 'Stall',
  InspectFailed: 'Retry',
  DownloadFailed: 'Retry',
  DownloadTooLarge: 'Stall',
  StageFailed: 'Retry',
  RejectedByLint: 'Stall',
  NoSpace: 'Stall',
  ActivateFailed: 'Retry',
  RebootFailed: 'Retry',
  RollbackFailed: 'Retry',
  BlessFailed: 'Retry',
  TidyFailed: 'Stall',
  HealthFailed: 'Stall',
  ImageRefused: 'Stall',
  MountFailed: 'Retry',
  ExecFailed: 'Retry',
  ExecMissing: 'Stall',
  Stopped: 'Retry',
}
