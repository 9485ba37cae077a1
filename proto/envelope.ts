import { createPublicKey, sign as signBytes, verify as verifyBytes, createHash } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import { Plan } from './plan.ts'

/** DSSE payload type of a plan (https://github.com/secure-systems-lab/dsse). */
export const PLAN_PAYLOAD_TYPE = 'application/vnd.bootfleet.plan.v1+json'
/** A plan larger than this is neither signed nor read. */
export const ENVELOPE_SIZE_MAX_BYTES = 64 * 1024

const Base64 = z.string().regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)
const Envelope = z.strictObject({
  payloadType: z.string(),
  payload: Base64,
  signatures: z.array(z.strictObject({ keyid: z.string().max(128), sig: Base64 })).length(1),
})

export type OpenResult =
  | { readonly kind: 'opened'; readonly plan: Plan; readonly payloadSha256: string; readonly keyId: string }
  | { readonly kind: 'refused'; readonly refusal: EnvelopeRefusal; readonly detail: string }

/** Why an envelope was not opened, in the order in which it is checked. */
export type EnvelopeRefusal = 'TooLarge' | 'Malformed' | 'UnknownPayloadType' | 'UnknownKey' | 'BadSignature'

/** Pre-authentication encoding of DSSE 1.0: what is signed binds the type as well as the bytes. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, 'utf8')
  const head = `DSSEv1 ${type.length} ${payloadType} ${payload.length} `
  return Buffer.concat([Buffer.from(head, 'utf8'), payload])
}

/** Key id of a director key: hex SHA-256 of its SubjectPublicKeyInfo. */
export function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}

/**
 * Sign a plan with one Ed25519 key.
 * @throws RangeError when the envelope would exceed {@link ENVELOPE_SIZE_MAX_BYTES}.
 */
export function sealPlan(plan: Plan, privateKey: KeyObject): Buffer {
  const payload = Buffer.from(JSON.stringify(Plan.parse(plan)), 'utf8')
  const signature = signBytes(null, preAuthenticationEncoding(PLAN_PAYLOAD_TYPE, payload), privateKey)
  const envelope = {
    payloadType: PLAN_PAYLOAD_TYPE,
    payload: payload.toString('base64'),
    signatures: [{ keyid: keyIdOf(createPublicKey(privateKey)), sig: signature.toString('base64') }],
  }
  const bytes = Buffer.from(JSON.stringify(envelope), 'utf8')
  if (bytes.length > ENVELOPE_SIZE_MAX_BYTES) {
    throw new RangeError(
      `signing the plan of host ${plan.hostId}: ${bytes.length} bytes, and the limit is ${ENVELOPE_SIZE_MAX_BYTES}`,
    )
  }
  return bytes
}

/**
 * Verify an envelope and parse the plan from the very bytes that were verified. Never throws on hostile input.
 * `directorKeys`: Ed25519 public keys that may sign plans.
 */
export function openPlan(bytes: Uint8Array, directorKeys: readonly KeyObject[]): OpenResult {
  if (bytes.length > ENVELOPE_SIZE_MAX_BYTES) return refuse('TooLarge', `${bytes.length} bytes`)
  const envelope = Envelope.safeParse(parseStrictJson(bytes))
  if (!envelope.success) return refuse('Malformed', 'not a DSSE envelope with exactly one signature')
  const { payloadType, payload, signatures } = envelope.data
  if (payloadType !== PLAN_PAYLOAD_TYPE) return refuse('UnknownPayloadType', payloadType.slice(0, 100))
  const signature = signatures[0]
  const key = directorKeys.find((candidate) => keyIdOf(candidate) === signature?.keyid)
  if (signature === undefined || key === undefined)
    return refuse('UnknownKey', 'signed by no director key we trust')
  const payloadBytes = Buffer.from(payload, 'base64')
  const encoded = preAuthenticationEncoding(payloadType, payloadBytes)
  if (!verifyBytes(null, encoded, key, Buffer.from(signature.sig, 'base64'))) {
    return refuse('BadSignature', `key ${signature.keyid.slice(0, 12)}`)
  }
  const plan = Plan.safeParse(parseStrictJson(payloadBytes))
  if (!plan.success) return refuse('Malformed', z.prettifyError(plan.error).slice(0, 300))
  const payloadSha256 = createHash('sha256').update(payloadBytes).digest('hex')
  return { kind: 'opened', plan: plan.data, payloadSha256, keyId: signature.keyid }
}

function refuse(refusal: EnvelopeRefusal, detail: string): OpenResult {
  return { kind: 'refused', refusal, detail }
}

/** JSON as UTF-8 with no object that names a key twice; undefined for anything else. */
function parseStrictJson(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    return hasDuplicateKeys(text) ? undefined : value
  } catch {
    return undefined
  }
}

/**
 * JSON.parse keeps the last of two equal keys, other readers the first; what was verified must mean one thing.
 * `text` is valid JSON, so a string followed by a colon is a key.
 */
function hasDuplicateKeys(text: string): boolean {
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g
  const scopes: Set<string>[] = []
  let lastString: string | null = null
  for (const [token] of text.matchAll(tokens)) {
    if (token === '{' || token === '[') scopes.push(new Set())
    else if (token === '}' || token === ']') scopes.pop()
    else if (token === ':' && lastString !== null) {
      const scope = scopes.at(-1)
      const key: string = JSON.parse(lastString)
      if (scope?.has(key) === true) return true
      scope?.add(key)
    }
    lastString = token.startsWith('"') ? token : null
  }
  return false
}
