export type ControllerErrorCode =
  | 'AuditUnavailable'
  | 'ConfigInvalid'
  | 'Conflict'
  | 'ForgeDenied'
  | 'ForgeUnreachable'
  | 'IdentityInvalid'
  | 'ImageInvalid'
  | 'ImageNotFound'
  | 'IssuerUnreachable'
  | 'LeaseLost'
  | 'NotFound'
  | 'NotLeader'
  | 'RegistryDenied'
  | 'RegistryRateLimited'
  | 'RegistryUnreachable'
  | 'RequestInvalid'
  | 'SourceHostile'
  | 'SourceRefMissing'
  | 'SourceTooLarge'
  | 'SourceUnreachable'
  | 'SourceUntrusted'
  | 'StateDirInUse'
  | 'StoreConflict'
  | 'StoreNotDurable'
  | 'StoreNotOurs'
  | 'StoreTooOld'
  | 'StoreUnavailable'

export type ControllerErrorOptions = { readonly cause?: unknown; readonly retryAfterMs?: number | undefined }

/**
 * The message says what was attempted, on what, what was found and what to do, and never holds a secret.
 * `retryAfterMs` is what a peer asked for; a caller may wait longer, not shorter.
 */
export class ControllerError extends Error {
  readonly code: ControllerErrorCode
  readonly retryAfterMs: number | undefined

  constructor(code: ControllerErrorCode, message: string, options: ControllerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ControllerError'
    this.code = code
    this.retryAfterMs = options.retryAfterMs
  }
}
