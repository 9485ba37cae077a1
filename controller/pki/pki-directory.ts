import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ControllerError } from '../errors.ts'
import { createAuthority, openAuthority } from './certificate-authority.ts'
import type { CertificateAuthority, KeyAndCertificate } from './certificate-authority.ts'

/** What the controller needs of its directory to serve; the operator's files are for people. */
export type Pki = {
  readonly authority: CertificateAuthority
  readonly server: KeyAndCertificate
  readonly directorKey: KeyObject
}

export type InitOptions = {
  readonly dir: string
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  /** Leave a complete directory as it is instead of refusing it. */
  readonly ifMissing: boolean
}

const PRIVATE_MODE = 0o600
const PUBLIC_MODE = 0o644
const FILES = [
  'ca.pem',
  'ca.key',
  'server.pem',
  'server.key',
  'operator.pem',
  'operator.key',
  'director.pem',
  'director.key',
]

/**
 * Makes every key and certificate of a new installation. Never overwrites: a lost CA means enrolling every host
 * again. Whether anything was written.
 * @throws ControllerError ConfigInvalid when some of the files exist.
 */
export async function initPki({ dir, dns, ip, ifMissing }: InitOptions): Promise<boolean> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const existing: string[] = []
  for (const file of FILES) if (await exists(join(dir, file))) existing.push(file)
  if (ifMissing && existing.length === FILES.length) return false
  if (existing.length > 0) {
    throw new ControllerError(
      'ConfigInvalid',
      `creating keys in ${dir}: ${existing.join(', ')} exist${existing.length === 1 ? 's' : ''}, and keys are never overwritten; name an empty directory`,
    )
  }
  const root = await createAuthority()
  const authority = await openAuthority(root)
  await writePair(dir, 'ca', root)
  await writePair(dir, 'server', await authority.issueServer({ dns, ip }))
  await writePair(dir, 'operator', await authority.issueOperator('admin'))
  const director = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  await writePair(dir, 'director', { keyPem: director.privateKey, certificatePem: director.publicKey })
  return true
}

/** @throws ControllerError ConfigInvalid when a file is missing or cannot be used. */
export async function openPki(dir: string): Promise<Pki> {
  const authority = await openAuthority(await readPair(dir, 'ca'))
  const server = await readPair(dir, 'server')
  return { authority, server, directorKey: readDirectorKey(dir, await readPem(dir, 'director.key')) }
}

async function writePair(
  dir: string,
  name: string,
  { keyPem, certificatePem }: KeyAndCertificate,
): Promise<void> {
  await writeFile(join(dir, `${name}.key`), keyPem, { mode: PRIVATE_MODE, flag: 'wx' })
  await writeFile(join(dir, `${name}.pem`), certificatePem, { mode: PUBLIC_MODE, flag: 'wx' })
}

async function readPair(dir: string, name: string): Promise<KeyAndCertificate> {
  return { keyPem: await readPem(dir, `${name}.key`), certificatePem: await readPem(dir, `${name}.pem`) }
}

async function readPem(dir: string, file: string): Promise<string> {
  try {
    return await readFile(join(dir, file), 'utf8')
  } catch (cause) {
    throw new ControllerError(
      'ConfigInvalid',
      `reading ${join(dir, file)}: it cannot be read; make the keys with: bootfleet-controller pki init --dir ${dir}`,
      { cause },
    )
  }
}

function readDirectorKey(dir: string, pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // Said below: what the file holds instead is never shown.
  }
  throw new ControllerError(
    'ConfigInvalid',
    `reading ${join(dir, 'director.key')}: it holds no Ed25519 private key`,
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
