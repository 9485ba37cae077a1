import { createHash } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'

/** What an operator hands to a host so that it may ask to be enrolled. Only the host ever reads it as a whole. */
export type JoinToken = {
  readonly id: string
  readonly secret: Uint8Array
  /** SHA-256 over the public key (SPKI DER) of the CA whose certificate the server must show. */
  readonly authoritySha256: Uint8Array
}

export const TOKEN_SECRET_BYTES = 32
const HASH_BYTES = 32
const PREFIX = 'bft1'
const TOKEN_ID = /^[a-z2-7]{10}$/
const FINGERPRINT_LENGTH = 16

export function isTokenId(text: string): boolean {
  return TOKEN_ID.test(text)
}

export function formatJoinToken({ id, secret, authoritySha256 }: JoinToken): string {
  return [PREFIX, id, encode(secret), encode(authoritySha256)].join('.')
}

/** Null for whatever is not written exactly as {@link formatJoinToken} does. */
export function parseJoinToken(text: string): JoinToken | null {
  const [prefix, id = '', secretText = '', hashText = '', ...rest] = text.split('.')
  const secret = decode(secretText, TOKEN_SECRET_BYTES)
  const authoritySha256 = decode(hashText, HASH_BYTES)
  const isWhole = prefix === PREFIX && isTokenId(id) && rest.length === 0
  return isWhole && secret !== null && authoritySha256 !== null ? { id, secret, authoritySha256 } : null
}

export function authoritySha256Of(certificate: X509Certificate): Buffer {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest()
}

/**
 * So much of a host's id that a person can compare it by eye, and nobody can make a key that has the same: the id is
 * made from the key's hash, and these are 80 bits of it.
 */
export function fingerprintOf(hostId: string): string {
  return (hostId.slice(0, FINGERPRINT_LENGTH).match(/.{4}/g) ?? []).join('-')
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

/** Node decodes anything; two texts must not be one token. */
function decode(text: string, size: number): Buffer | null {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length === size && bytes.toString('base64url') === text ? bytes : null
}
