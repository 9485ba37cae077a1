export type AgentErrorCode =
  | 'AlreadyRunning'
  | 'EnrolRefused'
  | 'ControllerAway'
  | 'ConfigInvalid'
  | 'IdentityInvalid'
  | 'StateUnwritable'
  | 'PlansLost'
  | 'AdoptRefused'
  | 'InspectFailed'
  | 'DownloadFailed'
  | 'DownloadTooLarge'
  | 'StageFailed'
  /** The controller never tries again what begins with Rejected. */
  | 'RejectedByLint'
  | 'NoSpace'
  | 'ActivateFailed'
  | 'RebootFailed'
  | 'RollbackFailed'
  | 'BlessFailed'
  | 'TidyFailed'
  | 'HealthFailed'
  | 'ImageRefused'
  | 'MountFailed'
  | 'ExecFailed'
  | 'ExecMissing'
  | 'Stopped'

export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly code: AgentErrorCode

  /** `message`: what was attempted, on what, what was found, what to do; never a secret. */
  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The error as ours; `attempt` starts the message of one that is not. */
export function toAgentError(code: AgentErrorCode, attempt: string, error: unknown): AgentError {
  if (error instanceof AgentError) return error
  const found = error instanceof Error ? error.message : String(error)
  return new AgentError(code, `${attempt}: ${found}`, { cause: error })
}
