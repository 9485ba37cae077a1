import type { TrustMaterial } from '@sigstore/verify'
import type { ReleaseKey } from './release-key.ts'

/** What is to be installed: what git or a plan names, so of an index the index itself. */
export type ReleasedImage = { readonly repository: string; readonly digest: string }

/** Any one of them suffices. At least one. */
export type ReleasePolicy = {
  readonly keys: readonly ReleaseKey[]
  readonly signers: readonly KeylessSigner[]
}

/** Somebody with a short-lived certificate instead of a key. */
export type KeylessSigner = {
  readonly root: TrustedRoot
  readonly issuer: string
  /** Of a pattern, `*` stands for anything; it must match from beginning to end. */
  readonly subject: { readonly kind: 'exact' | 'pattern'; readonly value: string }
}

/** Authorities and logs of one sigstore installation, pinned: never fetched, never refreshed by itself. */
export type TrustedRoot = { readonly name: string; readonly material: TrustMaterial }
