import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import { keyIdOf } from './envelope.ts'
import { TRUST_ROLES } from './trust-roles.ts'

/** DSSE payload type of a trust bundle. */
export const TRUST_PAYLOAD_TYPE = 'application/vnd.bootfleet.trust.v1+json'
/** A bundle larger than this, in its envelope, is neither signed nor read. */
export const TRUST_SIZE_MAX_BYTES = 64 * 1024

const KEYS_MAX = 64
const AUTHORITIES_MAX = 8

const KeyId = z.string().regex(/^[0-9a-f]{64}$/)
const Instant = z.iso.datetime({ precision: 3 })
const Pem = z.string().max(16 * 1024)
const Role = z.strictObject({
  /** So many distinct keys must sign. */
  threshold: z.int().min(1).max(16),
  keyIds: z.array(KeyId).max(16),
})

const Content = z.strictObject({
  version: z.literal(1),
  /** 1 for the first; each next one is one more. */
  number: z.int().positive(),
  issuedAt: Instant,
  expiresAt: Instant,
  keys: z.array(z.strictObject({ id: KeyId, publicKey: Pem })).max(KEYS_MAX),
  roles: z.strictObject({ root: Role, director: Role, release: Role, approver: Role }),
  /** Whose certificates count for hosts, operators and the controller (PEM). */
  certificateAuthorities: z.array(Pem).min(1).max(AUTHORITIES_MAX),
})

export type TrustContent = z.infer<typeof Content>

/** A bundle that makes sense in itself; who signed it is another matter. */
export type ReadContent =
  | { readonly kind: 'read'; readonly content: TrustContent; readonly keys: ReadonlyMap<string, KeyObject> }
  | { readonly kind: 'invalid'; readonly detail: string }

/** Checks a bundle's content, from parsed JSON of any origin. */
export function readContent(value: unknown): ReadContent {
  const parsed = Content.safeParse(value)
  if (!parsed.success) return invalid(z.prettifyError(parsed.error).slice(0, 300))
  const content = parsed.data
  const keys = new Map<string, KeyObject>()
  for (const { id, publicKey } of content.keys) {
    const key = readPublicKey(publicKey)
    if (key === null) return invalid(`key ${id.slice(0, 12)} is neither Ed25519 nor ECDSA P-256`)
    if (keyIdOf(key) !== id) return invalid(`key ${id.slice(0, 12)} has another id`)
    if (keys.has(id)) return invalid(`key ${id.slice(0, 12)} is listed twice`)
    keys.set(id, key)
  }
  const wrong = wrongInRoles(content, keys) ?? wrongInTimes(content)
  return wrong === null ? { kind: 'read', content, keys } : invalid(wrong)
}

function invalid(detail: string): ReadContent {
  return { kind: 'invalid', detail }
}

function wrongInRoles({ roles }: TrustContent, keys: ReadonlyMap<string, KeyObject>): string | null {
  const used = new Set<string>()
  for (const name of TRUST_ROLES) {
    const { keyIds, threshold } = roles[name]
    for (const id of keyIds) {
      const key = keys.get(id)
      if (key === undefined) return `role ${name} names key ${id.slice(0, 12)}, which is not listed`
      if (used.has(id)) return `key ${id.slice(0, 12)} has more than one role`
      used.add(id)
      if (name === 'director' && key.asymmetricKeyType !== 'ed25519') {
        return `director key ${id.slice(0, 12)} is not Ed25519`
      }
    }
    if (keyIds.length > 0 && keyIds.length < threshold) {
      return `role ${name} has ${keyIds.length} keys and needs ${threshold}`
    }
  }
  if (roles.root.keyIds.length === 0) return 'role root has no key'
  if (roles.director.keyIds.length === 0) return 'role director has no key'
  // A plan carries one signature.
  if (roles.director.threshold !== 1) return 'role director needs exactly one key'
  const idle = [...keys.keys()].find((id) => !used.has(id))
  return idle === undefined ? null : `key ${idle.slice(0, 12)} has no role`
}

function wrongInTimes({ issuedAt, expiresAt }: TrustContent): string | null {
  return Date.parse(expiresAt) > Date.parse(issuedAt) ? null : 'it expires before it was issued'
}

/** A public key that may stand in a bundle, or null. A private key is not taken for its public half, nor a certificate for its key. */
export function readPublicKey(pem: string): KeyObject | null {
  if (!pem.startsWith('-----BEGIN PUBLIC KEY-----')) return null
  try {
    const key = createPublicKey(pem)
    const isP256 = key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
    return key.asymmetricKeyType === 'ed25519' || isP256 ? key : null
  } catch {
    return null
  }
}
