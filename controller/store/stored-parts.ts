import * as z from 'zod'

/** What the store gives back is parsed like any other input: another version or a damaged disk wrote it. */

export const count = z.int().nonnegative()

export const Amount = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('count'), count }),
  z.object({ kind: z.literal('percent'), percent: count }),
])

const Signature = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('simple-signing'), payload: z.string(), signature: z.string() }),
  z.object({ kind: z.literal('bundle'), bundle: z.string() }),
])

export const Image = z.object({
  repository: z.string(),
  digest: z.string(),
  version: z.string(),
  manifests: z.record(z.string(), z.string()),
  signatures: z.array(Signature).exactOptional(),
})

export const Stable = z.object({ revision: z.string(), rolloutId: z.string(), image: Image })

export const Halt = z.object({ atMs: z.number(), actor: z.string(), reason: z.string() })

export const Log = z.array(
  z.object({ atMs: z.number(), actor: z.string(), verb: z.string(), reason: z.string() }),
)

export const atMs = z.number()
