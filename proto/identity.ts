import { X509Certificate, createHash } from 'node:crypto'
import { isHostId } from './subjects.ts'

/** Who a certificate speaks for. One SPIFFE URI SAN, and nothing else in the certificate counts. */
export type Identity =
  | { readonly kind: 'host'; readonly hostId: string }
  /** `login`: the SSH key or the account that it was given for, `ssh/` or `oidc/` and a SHA-256; it counts while that does. */
  | { readonly kind: 'operator'; readonly name: string; readonly login?: string }
  | { readonly kind: 'controller' }
  | { readonly kind: 'nats' }

/** A host whose clock is a little behind must still take a fresh certificate. */
export const BACKDATED_MS = 5 * 60 * 1000
/** A host's certificate that lives longer was made for one that is yet to come, and is good only to be renewed. */
export const HOST_LIFE_MAX_MS = 24 * 60 * 60 * 1000

const TRUST_DOMAIN = 'spiffe://bootfleet'
const OPERATOR_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/
const LOGIN = /^(?:ssh|oidc)\/[0-9a-f]{64}$/
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

export function identityUri(identity: Identity): string {
  switch (identity.kind) {
    case 'host':
      return `${TRUST_DOMAIN}/host/${identity.hostId}`
    case 'operator':
      return `${TRUST_DOMAIN}/operator/${identity.name}${identity.login === undefined ? '' : `/${identity.login}`}`
    case 'controller':
      return `${TRUST_DOMAIN}/controller`
    case 'nats':
      return `${TRUST_DOMAIN}/nats`
  }
}

/** Identity of a SPIFFE URI, or null when it is not one of ours, spelled exactly. */
export function parseIdentityUri(uri: string): Identity | null {
  if (!uri.startsWith(`${TRUST_DOMAIN}/`)) return null
  const [kind, name, ...rest] = uri.slice(TRUST_DOMAIN.length + 1).split('/')
  if (kind === 'operator' && name !== undefined && OPERATOR_NAME.test(name)) return operatorOf(name, rest)
  if (rest.length > 0) return null
  if ((kind === 'controller' || kind === 'nats') && name === undefined) return { kind }
  if (kind === 'host' && name !== undefined && isHostId(name)) return { kind: 'host', hostId: name }
  return null
}

function operatorOf(name: string, rest: readonly string[]): Identity | null {
  if (rest.length === 0) return { kind: 'operator', name }
  const login = rest.join('/')
  return LOGIN.test(login) ? { kind: 'operator', name, login } : null
}

/**
 * Identity of a peer certificate (DER), null unless it is valid at `nowMs` and its SAN holds exactly one URI of
 * ours. Expiry is judged here because a resumed TLS session accepts an expired certificate.
 */
export function identityOfCertificate(der: Uint8Array, nowMs: number): Identity | null {
  const certificate = new X509Certificate(der)
  if (nowMs < Date.parse(certificate.validFrom) || nowMs >= Date.parse(certificate.validTo)) return null
  return identityNamedIn(certificate)
}

/** Whom a certificate names, whether or not it is in force. */
export function identityNamedIn(certificate: X509Certificate): Identity | null {
  const uris = (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith('URI:'))
    .map((name) => name.slice('URI:'.length))
  const [uri, ...others] = uris
  return uri === undefined || others.length > 0 ? null : parseIdentityUri(uri)
}

/** HostId of a first public key: 26 characters of lower-case RFC 4648 base32 of SHA-256 over its SPKI DER. */
export function hostIdOf(spkiDer: Uint8Array): string {
  const hash = createHash('sha256').update(spkiDer).digest()
  let bits = 0n
  // 26 characters of five bits need 130 bits: 17 bytes, the last 6 bits of which are dropped.
  for (const byte of hash.subarray(0, 17)) bits = (bits << 8n) | BigInt(byte)
  bits >>= 6n
  let id = ''
  for (let position = 0; position < 26; position += 1) {
    id = (BASE32[Number(bits & 31n)] ?? '') + id
    bits >>= 5n
  }
  return id
}
