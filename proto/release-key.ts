import { createPublicKey, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

/** A public key whose owner may sign releases; `name` is what a person knows it by. */
export type ReleaseKey = { readonly name: string; readonly key: KeyObject }

export type ReadKey =
  { readonly kind: 'key'; readonly key: ReleaseKey } | { readonly kind: 'refused'; readonly detail: string }

export const RELEASE_KEY_MAX_BYTES = 8 * 1024
const RSA_BITS_MIN = 2048
/** Only this form: from a private key or a certificate Node would silently take the public half. */
const PEM = /^\s*-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$/

/** Never throws. */
export function readReleaseKey(name: string, pem: string): ReadKey {
  const refused = (detail: string): ReadKey => ({ kind: 'refused', detail })
  if (pem.length > RELEASE_KEY_MAX_BYTES) return refused(`it has more than ${RELEASE_KEY_MAX_BYTES} bytes`)
  if (!PEM.test(pem)) return refused('it is not one public key in PEM form (BEGIN PUBLIC KEY)')
  try {
    const key = createPublicKey(pem)
    const flaw = flawOf(key)
    return flaw === null ? { kind: 'key', key: { name, key } } : refused(flaw)
  } catch {
    return refused('its PEM holds no public key')
  }
}

function flawOf({ asymmetricKeyDetails, asymmetricKeyType }: KeyObject): string | null {
  const { namedCurve = '', modulusLength = 0 } = asymmetricKeyDetails ?? {}
  if (asymmetricKeyType === 'ed25519') return null
  if (asymmetricKeyType === 'ec') {
    return namedCurve === 'prime256v1' ? null : `its curve is ${namedCurve}, and only P-256 is supported`
  }
  if (asymmetricKeyType === 'rsa') {
    return modulusLength >= RSA_BITS_MIN ? null : `it has ${modulusLength} bits, fewer than ${RSA_BITS_MIN}`
  }
  return `it is a key of kind ${asymmetricKeyType}; ECDSA P-256, Ed25519 and RSA are supported`
}

/** False for whatever is no signature of it. */
export function isSignedBy({ key }: ReleaseKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', bytes, key, signature)
  } catch {
    return false
  }
}
