import {
  AbortRolloutRequestSchema,
  AbortRolloutResponseSchema,
  AllowDigestRequestSchema,
  AllowDigestResponseSchema,
  ApproveJoinRequestSchema,
  ApproveJoinResponseSchema,
  ApproveRolloutRequestSchema,
  ApproveRolloutResponseSchema,
  DenyDigestRequestSchema,
  DenyDigestResponseSchema,
  DenyJoinRequestSchema,
  DenyJoinResponseSchema,
  HaltRequestSchema,
  HaltResponseSchema,
  PauseRolloutRequestSchema,
  PauseRolloutResponseSchema,
  PromoteRolloutRequestSchema,
  PromoteRolloutResponseSchema,
  ResumeHostRequestSchema,
  ResumeHostResponseSchema,
  ResumeRolloutRequestSchema,
  ResumeRolloutResponseSchema,
  RetryRolloutRequestSchema,
  RetryRolloutResponseSchema,
  RollBackRolloutRequestSchema,
  RollBackRolloutResponseSchema,
  RevokeHostRequestSchema,
  RevokeHostResponseSchema,
  RevokeTokenRequestSchema,
  RevokeTokenResponseSchema,
  UnhaltRequestSchema,
  UnhaltResponseSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { OperatorClient } from '../client.ts'

type Service = OperatorClient['service']

/** The messages and the method of each order, by its name in the operator service. */
export const orders = {
  pauseRollout: {
    request: PauseRolloutRequestSchema,
    response: PauseRolloutResponseSchema,
    method: (service: Service) => service.pauseRollout,
  },
  resumeRollout: {
    request: ResumeRolloutRequestSchema,
    response: ResumeRolloutResponseSchema,
    method: (service: Service) => service.resumeRollout,
  },
  resumeHost: {
    request: ResumeHostRequestSchema,
    response: ResumeHostResponseSchema,
    method: (service: Service) => service.resumeHost,
  },
  promoteRollout: {
    request: PromoteRolloutRequestSchema,
    response: PromoteRolloutResponseSchema,
    method: (service: Service) => service.promoteRollout,
  },
  approveRollout: {
    request: ApproveRolloutRequestSchema,
    response: ApproveRolloutResponseSchema,
    method: (service: Service) => service.approveRollout,
  },
  abortRollout: {
    request: AbortRolloutRequestSchema,
    response: AbortRolloutResponseSchema,
    method: (service: Service) => service.abortRollout,
  },
  rollBackRollout: {
    request: RollBackRolloutRequestSchema,
    response: RollBackRolloutResponseSchema,
    method: (service: Service) => service.rollBackRollout,
  },
  retryRollout: {
    request: RetryRolloutRequestSchema,
    response: RetryRolloutResponseSchema,
    method: (service: Service) => service.retryRollout,
  },
  denyDigest: {
    request: DenyDigestRequestSchema,
    response: DenyDigestResponseSchema,
    method: (service: Service) => service.denyDigest,
  },
  allowDigest: {
    request: AllowDigestRequestSchema,
    response: AllowDigestResponseSchema,
    method: (service: Service) => service.allowDigest,
  },
  halt: {
    request: HaltRequestSchema,
    response: HaltResponseSchema,
    method: (service: Service) => service.halt,
  },
  revokeHost: {
    request: RevokeHostRequestSchema,
    response: RevokeHostResponseSchema,
    method: (service: Service) => service.revokeHost,
  },
  revokeToken: {
    request: RevokeTokenRequestSchema,
    response: RevokeTokenResponseSchema,
    method: (service: Service) => service.revokeToken,
  },
  approveJoin: {
    request: ApproveJoinRequestSchema,
    response: ApproveJoinResponseSchema,
    method: (service: Service) => service.approveJoin,
  },
  denyJoin: {
    request: DenyJoinRequestSchema,
    response: DenyJoinResponseSchema,
    method: (service: Service) => service.denyJoin,
  },
  unhalt: {
    request: UnhaltRequestSchema,
    response: UnhaltResponseSchema,
    method: (service: Service) => service.unhalt,
  },
}
