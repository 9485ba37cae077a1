import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import { keyIdOf, preAuthenticationEncoding } from './envelope.ts'
import { Digest, PERMIT_MAX_BYTES } from './plan.ts'
import { SignedDocument, isSignatureBy, signDocument } from './signed-document.ts'
import { parseStrictJson } from './strict-json.ts'
import { keysOf } from './trust-chain.ts'
import type { TrustBundle } from './trust-chain.ts'

/** DSSE payload type of a permit. */
export const PERMIT_PAYLOAD_TYPE = 'application/vnd.bootfleet.permit.v1+json'
/** So many hosts one permit may name. */
export const PERMIT_HOSTS_MAX = 32

const Instant = z.iso.datetime({ precision: 3 })
const Permit = z
  .strictObject({
    version: z.literal(1),
    /** What is permitted; there may be others later. */
    action: z.literal('downgrade'),
    fleet: z.string().min(1).max(253),
    /** Ids of the only hosts that it is for; absent: every host of the fleet. */
    hosts: z
      .array(z.string().regex(/^[a-z0-9]{26}$/))
      .min(1)
      .max(PERMIT_HOSTS_MAX)
      .optional(),
    repository: z.string().min(1).max(512),
    /** This very image, whatever its version; of an index, or of the manifest for the host's architecture. */
    digest: Digest.optional(),
    /** Images whose label says this version, or a higher one. */
    lowestVersion: z.string().min(1).max(128).optional(),
    issuedAt: Instant,
    expiresAt: Instant,
    /** For people. */
    reason: z.string().min(1).max(256),
  })
  .refine(({ digest, lowestVersion }) => (digest === undefined) !== (lowestVersion === undefined), {
    message: 'it names a digest or a lowest version, and not both',
  })
  .refine(({ issuedAt, expiresAt }) => Date.parse(issuedAt) < Date.parse(expiresAt), {
    message: 'it expires before it was issued',
  })
export type Permit = z.infer<typeof Permit>

/** Who may permit what hosts otherwise refuse. */
export type ApproverRole = {
  readonly keys: readonly KeyObject[]
  /** So many distinct keys must sign. */
  readonly threshold: number
}

export type ReadPermit =
  | { readonly kind: 'read'; readonly permit: Permit; readonly document: SignedDocument }
  | { readonly kind: 'invalid'; readonly detail: string }

export type OpenPermit =
  { readonly kind: 'opened'; readonly permit: Permit } | { readonly kind: 'refused'; readonly detail: string }

/** Null: the bundle names no approver, so there is nobody to permit anything, and nothing that needs it. */
export function approverRoleOf(bundle: TrustBundle): ApproverRole | null {
  const keys = keysOf(bundle, 'approver')
  return keys.length === 0 ? null : { keys, threshold: bundle.content.roles.approver.threshold }
}

/**
 * The text of a permit signed by each of the keys. It is one line, for it lies in git.
 * @throws RangeError when it is no permit, or too large.
 */
export function sealPermit(permit: Permit, privateKeys: readonly KeyObject[]): string {
  const checked = Permit.safeParse(permit)
  if (!checked.success) throw new RangeError(`signing a permit: ${problemIn(checked.error)}`)
  const payload = Buffer.from(JSON.stringify(checked.data), 'utf8')
  return textOf(signDocument(PERMIT_PAYLOAD_TYPE, payload, privateKeys))
}

/**
 * The same permit with the signatures of further keys.
 * @throws RangeError when it would be too large.
 */
export function countersign(
  { payload, signatures }: SignedDocument,
  privateKeys: readonly KeyObject[],
): string {
  const more = signDocument(PERMIT_PAYLOAD_TYPE, Buffer.from(payload, 'base64'), privateKeys)
  const others = signatures.filter(({ keyid }) => more.signatures.every((own) => own.keyid !== keyid))
  return textOf({ ...more, signatures: [...others, ...more.signatures] })
}

function textOf(document: SignedDocument): string {
  const text = JSON.stringify(document)
  if (text.length <= PERMIT_MAX_BYTES) return text
  throw new RangeError(`signing a permit: ${text.length} bytes, and the limit is ${PERMIT_MAX_BYTES}`)
}

/** What a permit says, whoever signed it. Never throws on hostile input. */
export function readPermit(text: string): ReadPermit {
  if (text.length > PERMIT_MAX_BYTES) return invalid(`it has more than ${PERMIT_MAX_BYTES} characters`)
  const document = SignedDocument.safeParse(parseStrictJson(Buffer.from(text, 'utf8')))
  if (!document.success) return invalid('it is no DSSE envelope')
  const { payloadType, payload } = document.data
  if (payloadType !== PERMIT_PAYLOAD_TYPE) return invalid(`its payload type is ${payloadType}`)
  const permit = Permit.safeParse(parseStrictJson(Buffer.from(payload, 'base64')))
  if (!permit.success) return invalid(problemIn(permit.error))
  return { kind: 'read', permit: permit.data, document: document.data }
}

/**
 * What a permit says, if enough approvers signed it. A signature by a key that is none of theirs counts for nothing
 * and spoils nothing, so that a permit outlives the rotation of another approver's key. Never throws.
 */
export function openPermit(text: string, { keys, threshold }: ApproverRole): OpenPermit {
  const read = readPermit(text)
  if (read.kind === 'invalid') return refused(`a permit is unreadable: ${read.detail}`)
  const { document, permit } = read
  const encoded = preAuthenticationEncoding(PERMIT_PAYLOAD_TYPE, Buffer.from(document.payload, 'base64'))
  const signedBy = keys.filter((key) => {
    const id = keyIdOf(key)
    return document.signatures.some(({ keyid, sig }) => keyid === id && isSignatureBy(key, encoded, sig))
  })
  if (signedBy.length < threshold) {
    return refused(
      `the permit for ${permit.repository} in fleet ${permit.fleet} is signed by ${signedBy.length} approver keys, and ${threshold} must sign`,
    )
  }
  return { kind: 'opened', permit }
}

function problemIn(error: z.ZodError): string {
  return z.prettifyError(error).slice(0, 300)
}

function invalid(detail: string): ReadPermit {
  return { kind: 'invalid', detail }
}

function refused(detail: string): OpenPermit {
  return { kind: 'refused', detail }
}
