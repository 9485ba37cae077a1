import type { KeyObject } from 'node:crypto'
import { preAuthenticationEncoding } from './envelope.ts'
import { SignedDocument, isSignatureBy, signDocument } from './signed-document.ts'
import { parseStrictJson } from './strict-json.ts'
import { TRUST_PAYLOAD_TYPE, TRUST_SIZE_MAX_BYTES, readContent } from './trust-bundle.ts'
import type { TrustContent } from './trust-bundle.ts'
import type { TrustRole } from './trust-roles.ts'

/** A chain is read whole, so it has an end. */
export const TRUST_CHAIN_MAX_BUNDLES = 256

/** A bundle whose signatures were found sufficient. */
export type TrustBundle = {
  readonly content: TrustContent
  readonly keys: ReadonlyMap<string, KeyObject>
  /** Every key whose signature it carries. */
  readonly signedBy: ReadonlySet<string>
  /** The bytes that were verified. */
  readonly envelope: Uint8Array
}

/** Why a bundle was not taken, in the order in which it is checked. */
export type TrustRefusal =
  | 'TooLarge'
  | 'Malformed'
  | 'UnknownPayloadType'
  | 'NotFirst'
  | 'NotNext'
  | 'UnknownKey'
  | 'BadSignature'
  | 'TooFewSignatures'
  | 'TooFewOldSignatures'
  | 'IssuedBefore'

export type OpenTrust =
  | { readonly kind: 'opened'; readonly bundle: TrustBundle }
  | { readonly kind: 'refused'; readonly refusal: TrustRefusal; readonly detail: string }

/** The first bundle: it must be number 1 and vouch for itself; that it is the right one, only its origin can say. */
export function openFirstBundle(bytes: Uint8Array): OpenTrust {
  return openBundle(bytes, null)
}

/** The successor of `current`: one number higher, and signed by enough root keys of both. */
export function openNextBundle(current: TrustBundle, bytes: Uint8Array): OpenTrust {
  return openBundle(bytes, current)
}

/**
 * Follow a chain from its first bundle to its last. One that expired meanwhile still leads to its successor; whether
 * the last is in force, ask {@link isExpired}.
 */
export function openChain(envelopes: readonly Uint8Array[]): OpenTrust {
  if (envelopes.length > TRUST_CHAIN_MAX_BUNDLES) {
    return refuse('TooLarge', `the chain has ${envelopes.length} bundles`)
  }
  let current: TrustBundle | null = null
  for (const [index, envelope] of envelopes.entries()) {
    const opened: OpenTrust = openBundle(envelope, current)
    if (opened.kind === 'refused') return { ...opened, detail: `bundle ${index + 1}: ${opened.detail}` }
    current = opened.bundle
  }
  return current === null ? refuse('Malformed', 'the chain is empty') : { kind: 'opened', bundle: current }
}

export function isExpired({ content }: TrustBundle, nowMs: number): boolean {
  return Date.parse(content.expiresAt) <= nowMs
}

/** The public keys of a role. */
export function keysOf({ content, keys }: TrustBundle, role: TrustRole): readonly KeyObject[] {
  return content.roles[role].keyIds.flatMap((id) => keys.get(id) ?? [])
}

/**
 * Sign a bundle with private keys, each once; whether they suffice is told when it is opened.
 * @throws RangeError when the content is none, or the envelope would exceed {@link TRUST_SIZE_MAX_BYTES}.
 */
export function sealBundle(content: TrustContent, privateKeys: readonly KeyObject[]): Buffer {
  const checked = readContent(content)
  if (checked.kind === 'invalid') throw new RangeError(`signing a trust bundle: ${checked.detail}`)
  const payload = Buffer.from(JSON.stringify(checked.content), 'utf8')
  const bytes = Buffer.from(JSON.stringify(signDocument(TRUST_PAYLOAD_TYPE, payload, privateKeys)), 'utf8')
  if (bytes.length > TRUST_SIZE_MAX_BYTES) {
    throw new RangeError(
      `signing a trust bundle: ${bytes.length} bytes, and the limit is ${TRUST_SIZE_MAX_BYTES}`,
    )
  }
  return bytes
}

/** Never throws on hostile input. */
function openBundle(bytes: Uint8Array, current: TrustBundle | null): OpenTrust {
  if (bytes.length > TRUST_SIZE_MAX_BYTES) return refuse('TooLarge', `${bytes.length} bytes`)
  const envelope = SignedDocument.safeParse(parseStrictJson(bytes))
  if (!envelope.success) return refuse('Malformed', 'not a DSSE envelope')
  const { payloadType, payload } = envelope.data
  if (payloadType !== TRUST_PAYLOAD_TYPE) return refuse('UnknownPayloadType', payloadType.slice(0, 100))
  const payloadBytes = Buffer.from(payload, 'base64')
  // What a new root key signed can be checked only with what the bundle says about itself; it counts for nothing
  // before the thresholds below are reached.
  const read = readContent(parseStrictJson(payloadBytes))
  if (read.kind === 'invalid') return refuse('Malformed', read.detail)
  const { content, keys } = read
  const misplaced = judgeNumber(content, current)
  if (misplaced !== null) return misplaced
  const known = new Map([...(current?.keys ?? []), ...keys])
  const encoded = preAuthenticationEncoding(payloadType, payloadBytes)
  const signed = verifyAll(envelope.data.signatures, encoded, known)
  if (!(signed instanceof Set)) return signed
  const bundle = { content, keys, signedBy: signed, envelope: Uint8Array.from(bytes) }
  return judgeThresholds(bundle, current) ?? { kind: 'opened', bundle }
}

function judgeNumber({ number }: TrustContent, current: TrustBundle | null): OpenTrust | null {
  if (current === null) {
    return number === 1 ? null : refuse('NotFirst', `it is number ${number}, and a chain begins with 1`)
  }
  const wanted = current.content.number + 1
  return number === wanted ? null : refuse('NotNext', `it is number ${number}, and ${wanted} comes next`)
}

/** Strict: a signature that nobody can check is no decoration, and no byte of an envelope is without meaning. */
function verifyAll(
  signatures: readonly { readonly keyid: string; readonly sig: string }[],
  encoded: Buffer,
  known: ReadonlyMap<string, KeyObject>,
): Set<string> | OpenTrust {
  const signed = new Set<string>()
  for (const { keyid, sig } of signatures) {
    const key = known.get(keyid)
    if (key === undefined) return refuse('UnknownKey', `a signature is by key ${keyid.slice(0, 12)}`)
    if (signed.has(keyid)) return refuse('Malformed', `key ${keyid.slice(0, 12)} signed twice`)
    if (!isSignatureBy(key, encoded, sig)) {
      return refuse('BadSignature', `key ${keyid.slice(0, 12)}`)
    }
    signed.add(keyid)
  }
  return signed
}

function judgeThresholds(bundle: TrustBundle, current: TrustBundle | null): OpenTrust | null {
  const own = missingOf(bundle.content, bundle.signedBy)
  if (own > 0) return refuse('TooFewSignatures', `${own} more of its own root keys must sign`)
  if (current === null) return null
  const old = missingOf(current.content, bundle.signedBy)
  if (old > 0) return refuse('TooFewOldSignatures', `${old} more root keys of the bundle before must sign`)
  const backdated = Date.parse(bundle.content.issuedAt) < Date.parse(current.content.issuedAt)
  return backdated ? refuse('IssuedBefore', 'it was issued before the bundle that it follows') : null
}

function missingOf({ roles }: TrustContent, signedBy: ReadonlySet<string>): number {
  const { keyIds, threshold } = roles.root
  return Math.max(0, threshold - new Set(keyIds.filter((id) => signedBy.has(id))).size)
}

function refuse(refusal: TrustRefusal, detail: string): OpenTrust {
  return { kind: 'refused', refusal, detail }
}
