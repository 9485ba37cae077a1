import { readFile } from 'node:fs/promises'
import { TRUST_CHAIN_MAX_BUNDLES, openChain } from '../proto/trust-chain.ts'
import type { TrustBundle } from '../proto/trust-chain.ts'
import { TrustError } from './errors.ts'
import { writeWhole } from './write-all.ts'

/** File name of a chain: one envelope a line, the first bundle first. */
export const CHAIN_FILE = 'trust.jsonl'

const SIZE_MAX_BYTES = 4 * 1024 * 1024

export type TrustChain = {
  readonly envelopes: readonly Uint8Array[]
  /** The last of them; whether it is in force is not judged here. */
  readonly newest: TrustBundle
}

/** @throws TrustError TrustInvalid saying which bundle is wrong. */
export async function readChain(path: string): Promise<TrustChain> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const found = cause instanceof Error ? cause.message : String(cause)
    throw new TrustError(
      'TrustInvalid',
      `reading the trust bundles: ${found}; bootfleet trust init makes them`,
      { cause },
    )
  })
  return parseChain(text, path)
}

/** @throws TrustError TrustInvalid. */
export function parseChain(text: string, origin: string): TrustChain {
  const wrong = (found: string): TrustError =>
    new TrustError('TrustInvalid', `reading the trust bundles of ${origin}: ${found}`)
  if (text.length > SIZE_MAX_BYTES) throw wrong(`${text.length} bytes, and the limit is ${SIZE_MAX_BYTES}`)
  const envelopes = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => Buffer.from(line, 'utf8'))
  const opened = openChain(envelopes)
  if (opened.kind === 'refused') throw wrong(`${opened.refusal}: ${opened.detail}`)
  return { envelopes, newest: opened.bundle }
}

/** The file is replaced whole, so that a reader sees the chain with or without the new bundle. */
export async function appendToChain(path: string, chain: TrustChain, envelope: Uint8Array): Promise<void> {
  if (chain.envelopes.length >= TRUST_CHAIN_MAX_BUNDLES) {
    throw new TrustError('TrustInvalid', `writing ${path}: a chain has at most ${TRUST_CHAIN_MAX_BUNDLES}`)
  }
  await writeWhole(path, chainText([...chain.envelopes, envelope]))
}

export function chainText(envelopes: readonly Uint8Array[]): string {
  return envelopes.map((envelope) => `${Buffer.from(envelope).toString('utf8')}\n`).join('')
}
