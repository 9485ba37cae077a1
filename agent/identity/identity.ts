import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { hostIdOf, identityNamedIn } from '../../proto/identity.ts'
import { returnSubject } from '../../proto/return-subject.ts'
import { writeDurably } from '../durable-file.ts'
import { AgentError, toAgentError } from '../errors.ts'
import { createCertificateRequest } from './certificate-request.ts'
import { plainKeyFiles } from './key-files.ts'
import type { KeyFiles } from './key-files.ts'
import { NATS_JWT_FILE, openNatsUser } from './nats-user.ts'
import type { NatsUser } from './nats-user.ts'
import { readIfThere, readTrustMaterial } from './trust-material.ts'

const KEY_FILE = 'key.pem'
export const CERTIFICATE_FILE = 'certificate.pem'

/** Who this host is, as it was enrolled; its certificate changes while the agent runs. */
export type Identity = {
  readonly hostId: string
  readonly keyPem: string
  /** Of the enrolment; trust bundles name those that count where there are any. */
  readonly caPem: string
  readonly certificate: () => HostCertificate
  readonly nats: NatsUser
  /** A request for another certificate with the same key, PEM. */
  readonly request: () => string
  /** One by which this host comes back when its certificate counts no more, PEM. */
  readonly returnRequest: () => string
  /**
   * What {@link take} refuses, before anything is written.
   * @throws AgentError IdentityInvalid when it is for another host or key, or not in force.
   */
  readonly judge: (certificatePem: string) => void
  /**
   * Puts another certificate in place, on disk before it counts; the old one stays if that fails.
   * @throws AgentError IdentityInvalid when it is for another host or key, or not in force.
   */
  readonly take: (certificatePem: string) => Promise<void>
  /** Takes what a person put into `certificate.pem` meanwhile. True when it is another certificate. */
  readonly reread: () => Promise<boolean>
}

export type HostCertificate = {
  readonly pem: string
  /** No plan that expired before this can be meant for us. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export type OpenIdentityOptions = {
  readonly directory: string
  /** Default: plain files in `directory`. */
  readonly keys?: KeyFiles
  readonly log: Logger
  readonly signal: AbortSignal
  /** Between two looks for the certificate. Default: 500 ms. */
  readonly pollMs?: number
}

/**
 * Load this host's identity from `directory`; make `key.pem` and `request.csr` at the first start, and wait
 * until whoever enrols the host has put `certificate.pem`, `ca.pem`, `trust.jsonl` and `nats.jwt` beside them.
 * @throws AgentError IdentityInvalid for files that do not fit together, Stopped when `signal` fires.
 */
export async function openIdentity(options: OpenIdentityOptions): Promise<Identity> {
  const { directory, log, signal } = options
  // Before the request, which whoever enrols the host waits for.
  const nats = await openNatsUser(directory, options.keys)
  const key = await loadOrMakeKey(directory, options.keys)
  const hostId = hostIdOf(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  let announced = false
  while (!signal.aborted) {
    const files = await readIssued(directory)
    if (files !== null) {
      const returnRequest = (): string => createCertificateRequest(key, returnSubject(nats.publicKey))
      return { ...assemble(directory, key, files), nats, returnRequest }
    }
    if (!announced)
      log.info({ hostId, directory }, 'waiting for certificate.pem, ca.pem, trust.jsonl and nats.jwt')
    announced = true
    await delay(options.pollMs ?? 500, undefined, { signal }).catch(() => {})
  }
  throw new AgentError('Stopped', `waiting for the certificate of host ${hostId}: stopped`)
}

/**
 * Only the owner may read the key, and its request is written before anyone could need it.
 * @throws AgentError IdentityInvalid.
 */
export async function loadOrMakeKey(
  directory: string,
  keys: KeyFiles = plainKeyFiles(directory),
): Promise<KeyObject> {
  const path = join(directory, KEY_FILE)
  try {
    const pem = (await keys.read(KEY_FILE)) ?? (await makeKey(keys))
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

async function makeKey(keys: KeyFiles): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await keys.add(KEY_FILE, pem)
  return pem
}

type IssuedFiles = { readonly certificatePem: string; readonly caPem: string }

async function readIssued(directory: string): Promise<IssuedFiles | null> {
  const [certificatePem, caPem, trust, natsJwt] = await Promise.all([
    readIfThere(join(directory, CERTIFICATE_FILE)),
    readIfThere(join(directory, 'ca.pem')),
    readTrustMaterial(directory),
    readIfThere(join(directory, NATS_JWT_FILE)),
  ])
  return certificatePem && caPem && trust && natsJwt ? { certificatePem, caPem } : null
}

function assemble(
  directory: string,
  key: KeyObject,
  files: IssuedFiles,
): Omit<Identity, 'nats' | 'returnRequest'> {
  const path = join(directory, CERTIFICATE_FILE)
  const first = readCertificate(files.certificatePem, key, directory)
  const { hostId } = first
  let held: HostCertificate = first

  function judge(pem: string): HostCertificate {
    const found = readCertificate(pem, key, directory)
    if (found.hostId !== hostId)
      throw unfit(directory, `it is for host ${found.hostId}, and this is ${hostId}`)
    return found
  }

  function judgeNext(pem: string): void {
    const { notBeforeMs, notAfterMs } = judge(pem)
    const nowMs = Date.now()
    if (nowMs >= notBeforeMs && nowMs < notAfterMs) return
    throw unfit(directory, 'it is not in force by the clock of this host; check the clock')
  }

  return {
    hostId,
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    caPem: files.caPem,
    certificate: () => held,
    request: () => createCertificateRequest(key, hostId),
    judge: judgeNext,
    async take(certificatePem) {
      judgeNext(certificatePem)
      await writeDurably(path, certificatePem, 0o644)
      // What was really written counts, not what we meant to write.
      held = judge((await readIfThere(path)) ?? '')
    },
    async reread() {
      const pem = await readIfThere(path)
      if (pem === null || pem === held.pem) return false
      held = judge(pem)
      return true
    },
  }
}

/** @throws AgentError IdentityInvalid. */
export function readCertificate(
  pem: string,
  key: KeyObject,
  directory: string,
): HostCertificate & { readonly hostId: string } {
  try {
    const certificate = new X509Certificate(pem)
    if (!certificate.checkPrivateKey(key)) throw new Error('the certificate is for another key')
    const identity = identityNamedIn(certificate)
    if (identity?.kind !== 'host') throw new Error('the certificate is for no host')
    const [notBeforeMs, notAfterMs] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
    return { hostId: identity.hostId, pem, notBeforeMs, notAfterMs }
  } catch (error) {
    throw toAgentError('IdentityInvalid', `reading the certificate of this host in ${directory}`, error)
  }
}

function unfit(directory: string, found: string): AgentError {
  return new AgentError('IdentityInvalid', `taking a certificate for ${directory}: ${found}`)
}
