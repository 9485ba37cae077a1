export type TrustErrorCode = 'RequestInvalid' | 'TrustInvalid'

/** The message says what was attempted, on what, what was found and what to do, and never holds a secret. */
export class TrustError extends Error {
  override readonly name = 'TrustError'
  readonly code: TrustErrorCode

  constructor(code: TrustErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
  }
}
