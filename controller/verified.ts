import type { PlanSignature } from '../proto/plan-signature.ts'

/** Fingerprints of the rules that an image was verified by, by `repository@digest`. */
export type VerifiedImages = Readonly<Record<string, readonly string[]>>

/** What hosts are given to verify it by, by `repository@digest`, and the fingerprint of whom they ask for. */
export type ReleaseProofs = Readonly<
  Record<string, { readonly role: string; readonly signatures: readonly PlanSignature[] }>
>

export type Verified = { readonly verified: VerifiedImages; readonly proofs: ReleaseProofs }
