import { createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import { keyIdOf, preAuthenticationEncoding } from './envelope.ts'

const SIGNATURES_MAX = 32
const Base64 = z.string().refine((text) => Buffer.from(text, 'base64').toString('base64') === text)

/** A DSSE envelope that several people sign, each with a key of their own (Ed25519 or ECDSA P-256). */
export const SignedDocument = z.strictObject({
  payloadType: z.string().max(128),
  payload: Base64,
  signatures: z
    .array(z.strictObject({ keyid: z.string().max(128), sig: Base64 }))
    .min(1)
    .max(SIGNATURES_MAX),
})
export type SignedDocument = z.infer<typeof SignedDocument>

/** Signed by each of the keys once. */
export function signDocument(
  payloadType: string,
  payload: Buffer,
  privateKeys: readonly KeyObject[],
): SignedDocument {
  const encoded = preAuthenticationEncoding(payloadType, payload)
  const signatures = new Map(
    privateKeys.map((key) => [keyIdOf(createPublicKey(key)), sign(hashFor(key), encoded, key)]),
  )
  return {
    payloadType,
    payload: payload.toString('base64'),
    signatures: [...signatures].map(([keyid, sig]) => ({ keyid, sig: sig.toString('base64') })),
  }
}

/** `encoded`: of the payload and its type, see {@link preAuthenticationEncoding}. */
export function isSignatureBy(key: KeyObject, encoded: Buffer, signature: string): boolean {
  return verify(hashFor(key), encoded, key, Buffer.from(signature, 'base64'))
}

/** Ed25519 hashes by itself. */
function hashFor(key: KeyObject): 'sha256' | null {
  return key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
}
