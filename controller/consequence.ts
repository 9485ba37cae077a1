import type { ControllerErrorCode } from './errors.ts'

/**
 * retry: the same attempt may succeed later, with back-off.
 * wait: it cannot succeed until what it depends on changes (a commit, a tag); the next poll looks again.
 * stall: nothing changes by itself; an operator must act, and status says so.
 */
export type Consequence = 'retry' | 'wait' | 'stall'

export const consequences: Readonly<Record<ControllerErrorCode, Consequence>> = {
  AuditUnavailable: 'retry',
  ConfigInvalid: 'stall',
  Conflict: 'wait',
  ForgeDenied: 'stall',
  ForgeUnreachable: 'retry',
  IdentityInvalid: 'stall',
  ImageInvalid: 'wait',
  ImageNotFound: 'wait',
  IssuerUnreachable: 'retry',
  LeaseLost: 'retry',
  NotFound: 'wait',
  NotLeader: 'retry',
  RegistryDenied: 'stall',
  RegistryRateLimited: 'retry',
  RegistryUnreachable: 'retry',
  RequestInvalid: 'wait',
  SourceHostile: 'wait',
  SourceRefMissing: 'wait',
  SourceTooLarge: 'wait',
  SourceUnreachable: 'retry',
  SourceUntrusted: 'wait',
  StateDirInUse: 'stall',
  StoreConflict: 'retry',
  StoreNotDurable: 'stall',
  StoreNotOurs: 'stall',
  StoreTooOld: 'stall',
  StoreUnavailable: 'retry',
}
