import * as z from 'zod'
import type { Commit } from './merge-sources.ts'
import { spokenSigner } from './sources/verified.ts'
import type { Anchor, Verified } from './sources/verified.ts'

export const StoredVerified: z.ZodType<Verified> = z.object({
  signer: z.object({ principal: z.string(), fingerprint: z.string() }).nullable(),
  startCommit: z.string(),
})

/** What verification must remember, whoever led in between. */
export const StoredProvenance = z.object({
  /** By name of source. */
  anchors: z.record(z.string(), z.object({ commit: z.string(), verified: StoredVerified })).default({}),
  /** Of the commits accepted last, the newest at the end. */
  signers: z
    .array(z.object({ commit: z.string(), signer: z.string() }))
    .readonly()
    .default([]),
})
export type Provenance = {
  readonly anchors: Readonly<Record<string, Anchor>>
  readonly signers: readonly { readonly commit: string; readonly signer: string }[]
}

export const NO_PROVENANCE: Provenance = { anchors: {}, signers: [] }
const SIGNERS_MAX = 256

/** After these are accepted. A source that is not verified now keeps its anchor: switching off and on forgets nothing. */
export function provenanceAfter(
  { anchors, signers }: Provenance,
  accepted: ReadonlyMap<string, Commit>,
): Provenance {
  const verified = [...accepted].flatMap(([name, { commit, verified: by }]) =>
    by === undefined ? [] : [[name, { commit, verified: by }] as const],
  )
  const fresh = verified.flatMap(([, { commit, verified: by }]) =>
    signers.some((known) => known.commit === commit) ? [] : [{ commit, signer: signedBy(by) }],
  )
  return {
    anchors: { ...anchors, ...Object.fromEntries(verified) },
    signers: [...signers, ...fresh].slice(-SIGNERS_MAX),
  }
}

/** Empty where nobody verified it. */
export function signerOf({ signers }: Provenance, commit: string): string {
  return signers.findLast((known) => known.commit === commit)?.signer ?? ''
}

function signedBy({ signer }: Verified): string {
  return signer === null ? 'nobody: the configuration names it as verify.startCommit' : spokenSigner(signer)
}
