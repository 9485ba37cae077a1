import * as z from 'zod'
import { decodeBase64 } from './base64.ts'
import type { FoundSignature } from './release-verdict.ts'
import { parseStrictJson } from './strict-json.ts'

/** As many as a role can need. */
const SIGNATURES_MAX = 16
/** Of all together, as they stand in a plan, which must hold the rest too. */
export const PLAN_SIGNATURES_MAX_BYTES = 16 * 1024

const Base64 = z.string().refine((text) => decodeBase64(text) !== null)

const PlanSignature = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('simple-signing'), payload: Base64, signature: Base64 }),
  z.strictObject({ kind: z.literal('bundle'), bundle: Base64 }),
])
/** What a plan keeps of a signature by a key: what was signed, and the signature. */
export type PlanSignature = z.infer<typeof PlanSignature>

export const PlanSignatures = z
  .array(PlanSignature)
  .min(1)
  .max(SIGNATURES_MAX)
  .refine((signatures) => sizeBytesOf(signatures) <= PLAN_SIGNATURES_MAX_BYTES)

/** Null: it is none that a key made, or has a form that cannot be read. */
export function toPlanSignature(found: FoundSignature): PlanSignature | null {
  switch (found.kind) {
    case 'simple-signing': {
      const { payload, signature } = found
      return { kind: 'simple-signing', payload: Buffer.from(payload).toString('base64'), signature }
    }
    case 'bundle':
      return condensed(found.bytes)
    case 'oversize':
      return null
  }
}

export function toFoundSignature(kept: PlanSignature): FoundSignature {
  if (kept.kind === 'bundle') return { kind: 'bundle', bytes: Buffer.from(kept.bundle, 'base64') }
  const { payload, signature } = kept
  return {
    kind: 'simple-signing',
    payload: Buffer.from(payload, 'base64'),
    signature,
    certificate: null,
    logEntry: null,
  }
}

export function sizeBytesOf(signatures: readonly PlanSignature[]): number {
  return Buffer.byteLength(JSON.stringify(signatures))
}

/** What a log said is many times as large, and says nothing of a key. */
function condensed(bytes: Uint8Array): PlanSignature | null {
  const bundle = parseStrictJson(bytes)
  if (typeof bundle !== 'object' || bundle === null) return null
  const { mediaType, dsseEnvelope } = bundle as Readonly<Record<string, unknown>>
  const rest = { mediaType, verificationMaterial: { publicKey: { hint: '' } }, dsseEnvelope }
  return { kind: 'bundle', bundle: Buffer.from(JSON.stringify(rest)).toString('base64') }
}
