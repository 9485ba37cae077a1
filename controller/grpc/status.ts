import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { ControllerError } from '../errors.ts'
import type { ControllerErrorCode } from '../errors.ts'

const STATUS_OF_CODE: Readonly<Record<ControllerErrorCode, status>> = {
  AuditUnavailable: status.UNAVAILABLE,
  ConfigInvalid: status.FAILED_PRECONDITION,
  Conflict: status.ALREADY_EXISTS,
  ForgeDenied: status.FAILED_PRECONDITION,
  ForgeUnreachable: status.UNAVAILABLE,
  IdentityInvalid: status.UNAUTHENTICATED,
  ImageInvalid: status.FAILED_PRECONDITION,
  ImageNotFound: status.NOT_FOUND,
  IssuerUnreachable: status.UNAVAILABLE,
  LeaseLost: status.UNAVAILABLE,
  NotFound: status.NOT_FOUND,
  NotLeader: status.UNAVAILABLE,
  RegistryDenied: status.FAILED_PRECONDITION,
  RegistryRateLimited: status.UNAVAILABLE,
  RegistryUnreachable: status.UNAVAILABLE,
  RequestInvalid: status.INVALID_ARGUMENT,
  SourceHostile: status.FAILED_PRECONDITION,
  SourceRefMissing: status.FAILED_PRECONDITION,
  SourceTooLarge: status.FAILED_PRECONDITION,
  SourceUnreachable: status.UNAVAILABLE,
  SourceUntrusted: status.FAILED_PRECONDITION,
  StateDirInUse: status.FAILED_PRECONDITION,
  StoreConflict: status.UNAVAILABLE,
  StoreNotDurable: status.FAILED_PRECONDITION,
  StoreNotOurs: status.FAILED_PRECONDITION,
  StoreTooOld: status.FAILED_PRECONDITION,
  StoreUnavailable: status.UNAVAILABLE,
}

/** What a peer is told; an error of no code of ours is told without its text, which may hold anything. */
export function toServiceError(error: unknown, logger: Logger): ServiceError {
  if (error instanceof ControllerError) return serviceError(STATUS_OF_CODE[error.code], error.message)
  if (error instanceof Error && error.name === 'AbortError') {
    return serviceError(status.UNAVAILABLE, 'the controller is stopping or lost its lease; try again')
  }
  logger.error({ err: error }, 'call failed unexpectedly')
  return serviceError(status.INTERNAL, 'the controller failed unexpectedly; its log says why')
}

export function serviceError(code: status, details: string): ServiceError {
  return Object.assign(new Error(details), { name: 'ServiceError', code, details }) as ServiceError
}

/** An error that is a status already stays as it is. */
export function asServiceError(error: unknown, logger: Logger): ServiceError {
  const known = error instanceof Error && error.name === 'ServiceError'
  return known ? (error as ServiceError) : toServiceError(error, logger)
}
