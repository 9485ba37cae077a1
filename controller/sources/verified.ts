/** `verify` of a git source; files are the controller's own, `allowedSigners` is a path in the repository. */
export type VerifyConfig = {
  readonly commits: 'ssh' | 'gpg'
  readonly allowedSigners?: string | undefined
  readonly allowedSignersFile?: string | undefined
  readonly revokedSignersFile?: string | undefined
  /** Of gpg: public keys, of which the list names those that count. */
  readonly keyringFile?: string | undefined
  /** Where an operator had the history begin: it and all before it need no signature. */
  readonly startCommit?: string | undefined
  readonly maxCommits: number
}

export type Signer = { readonly principal: string; readonly fingerprint: string }

/** By whom a commit was signed, and what must be remembered to judge the next. */
export type Verified = {
  /** Null: nobody had to sign it, an operator named it. */
  readonly signer: Signer | null
  /** The newest `startCommit` that was followed; following it again would go back to it. Empty: none was. */
  readonly startCommit: string
}

/** The newest commit that was verified and accepted: what comes must descend from it. */
export type Anchor = { readonly commit: string; readonly verified: Verified }

export function spokenSigner({ principal, fingerprint }: Signer): string {
  return `${principal} (${fingerprint})`
}
