/** What becomes of an image that is unfit to be booted or updated: it is refused, or that is only told. */
export type LintPolicy = 'Enforce' | 'Warn'

/** What deploying an image came to. */
export type Staged = {
  readonly deploymentId: string
  readonly etcConflicts: readonly string[]
  /** What `Warn` let pass; absent: nothing. */
  readonly lintFindings?: readonly string[]
}
