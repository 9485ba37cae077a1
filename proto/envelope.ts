import { createPublicKey, hash, sign as signBytes, verify as verifyBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import { decodeBase64 } from './base64.ts'
import { Plan } from './plan.ts'
import { parseStrictJson } from './strict-json.ts'

/** DSSE payload type of a plan (https://github.com/secure-systems-lab/dsse). */
export const PLAN_PAYLOAD_TYPE = 'application/vnd.bootfleet.plan.v1+json'
/** A plan larger than this is neither signed nor read. */
export const ENVELOPE_SIZE_MAX_BYTES = 64 * 1024

const Envelope = z.strictObject({
  payloadType: z.string(),
  payload: z.string(),
  signatures: z.array(z.strictObject({ keyid: z.string().max(128), sig: z.string().max(128) })).length(1),
})

export type OpenResult =
  | { readonly kind: 'opened'; readonly plan: Plan; readonly payloadSha256: string; readonly keyId: string }
  | { readonly kind: 'refused'; readonly refusal: EnvelopeRefusal; readonly detail: string }

/** Why an envelope was not opened, in the order in which it is checked. */
export type EnvelopeRefusal = 'TooLarge' | 'Malformed' | 'UnknownPayloadType' | 'UnknownKey' | 'BadSignature'

/** Pre-authentication encoding of DSSE 1.0: what is signed binds the type as well as the bytes. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `
  return Buffer.concat([Buffer.from(head, 'utf8'), payload])
}

/** Key id of a director key: hex SHA-256 of its SubjectPublicKeyInfo. */
export function keyIdOf(publicKey: KeyObject): string {
  return hash('sha256', publicKey.export({ type: 'spki', format: 'der' }))
}

/**
 * Sign a plan with one Ed25519 key.
 * @throws RangeError when the envelope would exceed {@link ENVELOPE_SIZE_MAX_BYTES}.
 */
export function sealPlan(plan: Plan, privateKey: KeyObject): Buffer {
  return planSealer(privateKey)(plan)
}

/** For many plans: the key's id, which costs twice as much as a signature, is looked up once. */
export function planSealer(privateKey: KeyObject): (plan: Plan) => Buffer {
  const keyId = keyIdOf(createPublicKey(privateKey))
  return (plan) => seal(plan, privateKey, keyId)
}

function seal(plan: Plan, privateKey: KeyObject, keyId: string): Buffer {
  const payload = Buffer.from(JSON.stringify(Plan.parse(plan)), 'utf8')
  const signature = signBytes(null, preAuthenticationEncoding(PLAN_PAYLOAD_TYPE, payload), privateKey)
  // Put together by hand: nothing in it needs to be escaped, and this is done for every host of a fleet.
  const signatures = `[{"keyid":"${keyId}","sig":"${signature.toString('base64')}"}]`
  const body = `{"payloadType":"${PLAN_PAYLOAD_TYPE}","payload":"${payload.toString('base64')}","signatures":${signatures}}`
  const bytes = Buffer.from(body, 'latin1')
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
  return planOpener(directorKeys)(bytes)
}

/** For many plans, as {@link planSealer}. */
export function planOpener(directorKeys: readonly KeyObject[]): (bytes: Uint8Array) => OpenResult {
  const keys = new Map(directorKeys.map((key) => [keyIdOf(key), key]))
  return (bytes) => open(bytes, keys)
}

function open(bytes: Uint8Array, keys: ReadonlyMap<string, KeyObject>): OpenResult {
  if (bytes.length > ENVELOPE_SIZE_MAX_BYTES) return refuse('TooLarge', `${bytes.length} bytes`)
  const envelope = Envelope.safeParse(parseStrictJson(bytes))
  if (!envelope.success) return refuse('Malformed', 'not a DSSE envelope with exactly one signature')
  const { payloadType, payload, signatures } = envelope.data
  if (payloadType !== PLAN_PAYLOAD_TYPE) return refuse('UnknownPayloadType', payloadType.slice(0, 100))
  const signature = signatures[0]
  const key = keys.get(signature?.keyid ?? '')
  if (signature === undefined || key === undefined)
    return refuse('UnknownKey', 'signed by no director key we trust')
  const [payloadBytes, signatureBytes] = [decodeBase64(payload), decodeBase64(signature.sig)]
  if (payloadBytes === null || signatureBytes === null)
    return refuse('Malformed', 'its payload or its signature is not base64')
  const encoded = preAuthenticationEncoding(payloadType, payloadBytes)
  if (!verifyBytes(null, encoded, key, signatureBytes)) {
    return refuse('BadSignature', `key ${signature.keyid.slice(0, 12)}`)
  }
  const plan = Plan.safeParse(parseStrictJson(payloadBytes))
  if (!plan.success) return refuse('Malformed', z.prettifyError(plan.error).slice(0, 300))
  const payloadSha256 = hash('sha256', payloadBytes)
  return { kind: 'opened', plan: plan.data, payloadSha256, keyId: signature.keyid }
}

function refuse(refusal: EnvelopeRefusal, detail: string): OpenResult {
  return { kind: 'refused', refusal, detail }
}
