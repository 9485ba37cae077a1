import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { hostIdOf } from '../../proto/identity.ts'
import { writeDurably } from '../durable-file.ts'
import { AgentError, toAgentError } from '../errors.ts'
import { createCertificateRequest } from './certificate-request.ts'

/** Who this host is, and whom it believes. */
export type Identity = {
  readonly hostId: string
  readonly keyPem: string
  readonly certificatePem: string
  readonly caPem: string
  /** Keys that may sign plans. */
  readonly directorKeys: readonly KeyObject[]
  /** No plan that expired before this can be meant for us. */
  readonly certificateNotBeforeMs: number
}

export type OpenIdentityOptions = {
  readonly directory: string
  readonly log: Logger
  readonly signal: AbortSignal
  /** Between two looks for the certificate. Default: 500 ms. */
  readonly pollMs?: number
}

/**
 * Load this host's identity from `directory`; make `key.pem` and `request.csr` at the first start, and wait
 * until whoever enrols the host has put `certificate.pem`, `ca.pem` and `director.pem` beside them.
 * @throws AgentError IdentityInvalid for files that do not fit together, Stopped when `signal` fires.
 */
export async function openIdentity(options: OpenIdentityOptions): Promise<Identity> {
  const { directory, log, signal } = options
  const key = await loadOrMakeKey(directory)
  const hostId = hostIdOf(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  let announced = false
  while (!signal.aborted) {
    const files = await readIssued(directory)
    if (files !== null) return assemble(directory, key, hostId, files)
    if (!announced) log.info({ hostId, directory }, 'waiting for certificate.pem, ca.pem and director.pem')
    announced = true
    await delay(options.pollMs ?? 500, undefined, { signal }).catch(() => {})
  }
  throw new AgentError('Stopped', `waiting for the certificate of host ${hostId}: stopped`)
}

/** Only the owner may read the key, and its request is written before anyone could need it. */
async function loadOrMakeKey(directory: string): Promise<KeyObject> {
  const path = join(directory, 'key.pem')
  try {
    const pem = (await readIfThere(path)) ?? (await makeKey(path))
    const key = createPrivateKey(pem)
    const hostId = hostIdOf(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    const request = join(directory, 'request.csr')
    if ((await readIfThere(request)) === null) {
      await writeDurably(request, createCertificateRequest(key, hostId), 0o644)
    }
    return key
  } catch (error) {
    throw toAgentError('IdentityInvalid', `loading the host key ${path}`, error)
  }
}

async function makeKey(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await writeDurably(path, pem, 0o600)
  return pem
}

type IssuedFiles = { readonly certificatePem: string; readonly caPem: string; readonly directorPem: string }

async function readIssued(directory: string): Promise<IssuedFiles | null> {
  const names = ['certificate.pem', 'ca.pem', 'director.pem']
  const [certificatePem, caPem, directorPem] = await Promise.all(
    names.map((name) => readIfThere(join(directory, name))),
  )
  return certificatePem && caPem && directorPem ? { certificatePem, caPem, directorPem } : null
}

function assemble(directory: string, key: KeyObject, hostId: string, files: IssuedFiles): Identity {
  try {
    const certificate = new X509Certificate(files.certificatePem)
    if (!certificate.checkPrivateKey(key)) throw new Error('the certificate is for another key')
    const blocks = files.directorPem.match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g) ?? []
    if (blocks.length === 0) throw new Error('director.pem holds no public key')
    return {
      hostId,
      keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      certificatePem: files.certificatePem,
      caPem: files.caPem,
      directorKeys: blocks.map((pem) => createPublicKey(pem)),
      certificateNotBeforeMs: Date.parse(certificate.validFrom),
    }
  } catch (error) {
    throw toAgentError('IdentityInvalid', `loading the identity of host ${hostId} from ${directory}`, error)
  }
}

async function readIfThere(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}
