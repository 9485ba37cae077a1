import { createPublicKey, verify } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'
import * as z from 'zod'
import { parseStrictJson } from '../../proto/strict-json.ts'

/** Whose tokens count, and what they say of who it is. */
export type TokenRules = {
  readonly issuer: string
  readonly audience: string
  readonly subjectClaim: string
}

export type VerifiedToken = { readonly subject: string; readonly expiresAtMs: number }

/** A token that nobody has verified: only what it takes to find its key. */
export type ReadToken = {
  readonly algorithm: Algorithm
  readonly keyId: string
  readonly signed: Buffer
  readonly signature: Buffer
  readonly claims: Buffer
}

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const
type Algorithm = (typeof ALGORITHMS)[number]

const TOKEN_MAX_BYTES = 16 * 1024
/** How much the issuer's clock may differ. */
const LEEWAY_MS = 30_000
const RSA_BITS_MIN = 2048
/** Bytes of an ECDSA P-256 signature as in JOSE. */
const P256_SIGNATURE_BYTES = 64

/** `alg` is one of ours by name: none, and HMAC with what is public, are no algorithms here. */
const Header = z.object({
  alg: z.enum(ALGORITHMS),
  kid: z.string().min(1).max(256),
  typ: z.string().regex(/^jwt$/i).optional(),
  crit: z.undefined().optional(),
})

const Instant = z.number().positive().max(1e11)
const Claims = z.looseObject({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string()).min(1)]),
  azp: z.string().optional(),
  exp: Instant,
  iat: Instant,
  nbf: Instant.optional(),
  email_verified: z.unknown().optional(),
})

/** Null for what is no signed JWT in its one spelling, by an algorithm that counts. */
export function readToken(token: string): ReadToken | null {
  if (token.length > TOKEN_MAX_BYTES) return null
  const parts = token.split('.')
  const [header, claims, signature] = parts.map((part) => decode(part))
  if (parts.length !== 3 || header == null || claims == null || signature == null) return null
  const parsed = Header.safeParse(parseStrictJson(header))
  if (!parsed.success) return null
  const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')))
  return { algorithm: parsed.data.alg, keyId: parsed.data.kid, signed, signature, claims }
}

/** Who it is; a sentence when the token says so to nobody here. */
export function verifyToken(
  token: ReadToken,
  key: JsonWebKey,
  { rules, nowMs }: { readonly rules: TokenRules; readonly nowMs: number },
): VerifiedToken | string {
  const publicKey = publicKeyOf(key, token.algorithm)
  if (publicKey === null) return `the issuer’s key of that name is none for ${token.algorithm}`
  if (!isSigned(token, publicKey)) return 'its signature is bad'
  const parsed = Claims.safeParse(parseStrictJson(token.claims))
  if (!parsed.success) return 'its claims are not those of an ID token'
  const { iss, aud, azp, exp, iat, nbf, ...others } = parsed.data
  if (iss !== rules.issuer) return 'it is of another issuer'
  if (!isFor(rules.audience, aud, azp)) return 'it is for another audience'
  if (exp * 1000 <= nowMs - LEEWAY_MS) return 'it has expired'
  if (Math.max(iat, nbf ?? 0) * 1000 > nowMs + LEEWAY_MS) return 'it is of the future'
  const subject = others[rules.subjectClaim]
  if (typeof subject !== 'string' || subject === '') return `it has no claim ${rules.subjectClaim}`
  if (rules.subjectClaim === 'email' && others.email_verified !== true)
    return 'its e-mail address is not verified'
  return { subject, expiresAtMs: exp * 1000 }
}

/** For several audiences at once, it must have been given to us. */
function isFor(audience: string, aud: string | readonly string[], azp: string | undefined): boolean {
  const all = typeof aud === 'string' ? [aud] : aud
  return all.includes(audience) && (all.length === 1 || azp === audience)
}

function publicKeyOf(key: JsonWebKey, algorithm: Algorithm): KeyObject | null {
  const { alg = algorithm, use = 'sig' } = key
  const material = alg === algorithm && use === 'sig' ? materialOf(key, algorithm) : null
  if (material === null) return null
  try {
    const publicKey = createPublicKey({ key: material, format: 'jwk' })
    const { modulusLength = RSA_BITS_MIN } = publicKey.asymmetricKeyDetails ?? {}
    return modulusLength >= RSA_BITS_MIN ? publicKey : null
  } catch {
    // Whatever it says, it is no key.
    return null
  }
}

/** The kind of the key says what it may verify, not the token: that is how a public key would become a secret. */
function materialOf({ kty, crv, n, e, x, y }: JsonWebKey, algorithm: Algorithm): JsonWebKey | null {
  switch (algorithm) {
    case 'RS256':
      return kty === 'RSA' ? ({ kty, n, e } as JsonWebKey) : null
    case 'ES256':
      return kty === 'EC' && crv === 'P-256' ? ({ kty, crv, x, y } as JsonWebKey) : null
    case 'EdDSA':
      return kty === 'OKP' && crv === 'Ed25519' ? ({ kty, crv, x } as JsonWebKey) : null
  }
}

function isSigned({ algorithm, signed, signature }: ReadToken, key: KeyObject): boolean {
  switch (algorithm) {
    case 'RS256':
      return verify('sha256', signed, key, signature)
    case 'ES256':
      return (
        signature.length === P256_SIGNATURE_BYTES &&
        verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
      )
    case 'EdDSA':
      return verify(null, signed, key, signature)
  }
}

function decode(part: string): Buffer | null {
  const bytes = Buffer.from(part, 'base64url')
  return bytes.length > 0 && bytes.toString('base64url') === part ? bytes : null
}
