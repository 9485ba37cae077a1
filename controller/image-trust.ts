import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import * as z from 'zod'
import { readTrustedRoot } from '../proto/keyless-signer.ts'
import { readReleaseKey } from '../proto/release-key.ts'
import type { ReleaseKey } from '../proto/release-key.ts'
import type { KeylessSigner, ReleasePolicy, TrustedRoot } from '../proto/release-policy.ts'
import { canonicalJson } from './desired-state/canonical-json.ts'
import type { ImageVerification, VerificationKey, VerificationSigner } from './desired-state/types.ts'
import { canonicalVerification } from './desired-state/verification.ts'
import { ControllerError } from './errors.ts'

const Name = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'it is no name')
const Files = z.record(Name, z.string().min(1)).default({})

/** What git may name by name: keys that it does not hold, and what certificates are proven by. */
export const ImageTrustConfig = z.strictObject({ keys: Files, trustedRoots: Files })
export type ImageTrustConfig = z.infer<typeof ImageTrustConfig>

export function imageTrustWithPaths(
  { keys, trustedRoots }: ImageTrustConfig,
  base: string,
): ImageTrustConfig {
  const absolute = (files: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(files).map(([name, path]) => [name, resolve(base, path)]))
  return { keys: absolute(keys), trustedRoots: absolute(trustedRoots) }
}

/** What the configuration's files hold; `text` so that a file that changes is another key. */
export type ImageTrust = {
  readonly keys: ReadonlyMap<string, { readonly key: ReleaseKey; readonly text: string }>
  readonly trustedRoots: ReadonlyMap<string, { readonly root: TrustedRoot; readonly text: string }>
}

export const noImageTrust: ImageTrust = { keys: new Map(), trustedRoots: new Map() }

/** @throws ControllerError ConfigInvalid naming the file. */
export async function readImageTrust(config: ImageTrustConfig): Promise<ImageTrust> {
  const keys = new Map<string, { key: ReleaseKey; text: string }>()
  for (const [name, path] of Object.entries(config.keys)) {
    const text = (await bytesOf(path)).toString('utf8')
    const read = readReleaseKey(name, text)
    if (read.kind === 'refused') throw unusable(path, read.detail)
    keys.set(name, { key: read.key, text })
  }
  const trustedRoots = new Map<string, { root: TrustedRoot; text: string }>()
  for (const [name, path] of Object.entries(config.trustedRoots)) {
    const bytes = await bytesOf(path)
    const read = readTrustedRoot(name, bytes)
    if (read.kind === 'refused') throw unusable(path, read.detail)
    trustedRoots.set(name, { root: read.root, text: bytes.toString('utf8') })
  }
  return { keys, trustedRoots }
}

async function bytesOf(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw unusable(path, cause.code ?? cause.message)
  })
}

function unusable(path: string, found: string): ControllerError {
  return new ControllerError('ConfigInvalid', `reading ${path}, named under images: ${found}`)
}

export type ReleaseRule =
  | {
      readonly kind: 'policy'
      readonly policy: ReleasePolicy
      /** Of everything that decides: what was verified under another one must be verified anew. */
      readonly fingerprint: string
    }
  | { readonly kind: 'unusable'; readonly detail: string }

/** What git asks for, with what the configuration knows. One part that cannot be used makes the whole unusable. */
export function ruleOf(verification: ImageVerification, trust: ImageTrust): ReleaseRule {
  const keys = verification.keys.map((key) => keyOf(key, trust))
  const signers = verification.signers.map((signer) => signerOf(signer, trust))
  const flaw = [...keys, ...signers].find((each) => typeof each === 'string')
  if (flaw !== undefined) return { kind: 'unusable', detail: flaw as string }
  const policy = { keys: keys as ReleaseKey[], signers: signers as KeylessSigner[] }
  return { kind: 'policy', policy, fingerprint: fingerprintOf(verification, trust) }
}

function keyOf(key: VerificationKey, trust: ImageTrust): ReleaseKey | string {
  if (key.kind === 'configured') {
    const missing = `the controller's configuration has no key "${key.name}" under images.keys`
    return trust.keys.get(key.name)?.key ?? missing
  }
  const read = readReleaseKey(key.path, key.pem)
  return read.kind === 'key' ? read.key : `key ${key.path} cannot be used: ${read.detail}`
}

function signerOf(
  { issuer, subject, trustedRoot }: VerificationSigner,
  trust: ImageTrust,
): KeylessSigner | string {
  const root = trust.trustedRoots.get(trustedRoot)?.root
  const missing = `the controller's configuration has no trusted root "${trustedRoot}" under images.trustedRoots`
  return root === undefined ? missing : { root, issuer, subject }
}

function fingerprintOf(verification: ImageVerification, trust: ImageTrust): string {
  const named = [
    ...verification.keys.map((key) => (key.kind === 'configured' ? trust.keys.get(key.name)?.text : '')),
    ...verification.signers.map(({ trustedRoot }) => trust.trustedRoots.get(trustedRoot)?.text),
  ]
  const decisive = [canonicalVerification(verification), named.map((text) => text ?? '').toSorted()]
  return createHash('sha256').update(canonicalJson(decisive)).digest('hex')
}
