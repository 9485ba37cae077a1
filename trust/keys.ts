import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { readPublicKey } from '../proto/trust-bundle.ts'
import type { TrustRole } from '../proto/trust-roles.ts'
import { TrustError } from './errors.ts'

/** `privateKey` is null where only the public half is known, as for a key that is kept elsewhere. */
export type RoleKey = {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject | null
}

/** What cosign signs with is ECDSA P-256; everything of our own is Ed25519. */
export function makeKey(role: TrustRole): RoleKey & { readonly privateKey: KeyObject } {
  return role === 'release'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('ed25519')
}

export function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

export function publicPem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString()
}

/** @throws TrustError TrustInvalid when the file holds no Ed25519 or P-256 key in PEM, private or public. */
export async function readKeyFile(path: string): Promise<RoleKey> {
  const pem = await readPem(path, 'a key')
  const isPrivate = pem.includes('PRIVATE KEY-----')
  const privateKey = isPrivate ? parsePrivateKey(pem) : null
  const publicKey = isPrivate
    ? privateKey && readPublicKey(publicPem(createPublicKey(privateKey)))
    : readPublicKey(pem.trimStart())
  if (publicKey !== null) return { publicKey, privateKey }
  throw new TrustError(
    'TrustInvalid',
    `reading the key ${path}: it holds no Ed25519 or ECDSA P-256 key in PEM without a password`,
  )
}

/** @throws TrustError TrustInvalid when the file holds no private key. */
export async function readPrivateKeyFile(path: string): Promise<KeyObject> {
  const { privateKey } = await readKeyFile(path)
  if (privateKey !== null) return privateKey
  throw new TrustError('TrustInvalid', `reading the key ${path}: it is a public key; name the private one`)
}

/** @throws TrustError TrustInvalid. */
export async function readPem(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause)
    throw new TrustError('TrustInvalid', `reading ${what}: ${found}`, { cause })
  }
}

/** What the file holds instead is never shown. */
function parsePrivateKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem)
  } catch {
    return null
  }
}
