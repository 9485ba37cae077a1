import { ControllerError } from './errors.ts'

export type Outcome = {
  /** Empty when all is well. */
  readonly error: string
  readonly retryAfterMs: number | undefined
}

/** What is shown and tried again is an outcome; a defect or a lost lease is thrown. */
export async function attempt(task: () => Promise<void>): Promise<Outcome> {
  try {
    await task()
    return { error: '', retryAfterMs: undefined }
  } catch (error) {
    if (error instanceof ControllerError && error.code !== 'LeaseLost') {
      return { error: error.message, retryAfterMs: error.retryAfterMs }
    }
    if (!isSystemError(error)) throw error
    return { error: `using the state directory: ${error.message}`, retryAfterMs: undefined }
  }
}

/** A full disk or a lost permission: shown and tried again, while hosts are served from memory. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
