import { ControllerError } from '../errors.ts'

/** Read, but not signed or not descended as the configuration asks; what was accepted before stays. */
export class UntrustedCommit extends ControllerError {
  /** The head of the branch, which is not accepted. */
  readonly commit: string

  constructor(commit: string, message: string) {
    super('SourceUntrusted', message)
    this.name = 'UntrustedCommit'
    this.commit = commit
  }
}
