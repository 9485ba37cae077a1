export type CliErrorCode =
  | 'BadUsage'
  | 'ContextMissing'
  | 'ContextInvalid'
  | 'LoginNeeded'
  | 'ControllerUnreachable'
  | 'ControllerRefused'
  | 'NotFound'
  | 'ToolMissing'
  | 'ToolFailed'
  | 'StateInvalid'
  | 'TimedOut'
  | 'Interrupted'

/** The message says what was attempted, on what, what was found and what to do, and never holds a secret. */
export class CliError extends Error {
  readonly code: CliErrorCode

  constructor(code: CliErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CliError'
    this.code = code
  }
}
