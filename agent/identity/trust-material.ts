import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What whoever enrols a host says about whom it is to believe. */
export type TrustMaterial =
  | { readonly kind: 'bundles'; readonly envelopes: readonly Uint8Array[] }
  /** Of a host that was enrolled before there were bundles. */
  | { readonly kind: 'directors'; readonly keys: readonly KeyObject[] }

const PUBLIC_KEYS = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g

/**
 * `trust.jsonl` (one envelope a line, the first bundle first) or, of an older host, `director.pem`; null when
 * neither is there.
 * @throws Error when `director.pem` holds no public key.
 */
export async function readTrustMaterial(directory: string): Promise<TrustMaterial | null> {
  const chain = await readIfThere(join(directory, 'trust.jsonl'))
  if (chain !== null && chain.trim() !== '') {
    return { kind: 'bundles', envelopes: envelopesOf(chain) }
  }
  const pem = await readIfThere(join(directory, 'director.pem'))
  if (pem === null || pem === '') return null
  const keys = (pem.match(PUBLIC_KEYS) ?? []).map((block) => createPublicKey(block))
  if (keys.length === 0) throw new Error('director.pem holds no public key')
  return { kind: 'directors', keys }
}

export function envelopesOf(chain: string): readonly Uint8Array[] {
  const lines = chain.split('\n').filter((line) => line.trim() !== '')
  return lines.map((line) => Buffer.from(line, 'utf8'))
}

export function chainText(envelopes: readonly Uint8Array[]): string {
  return envelopes.map((envelope) => `${Buffer.from(envelope).toString('utf8')}\n`).join('')
}

export async function readIfThere(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}
