import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openAuthority, readRequest } from '../../trust/certificate-authority.ts'
import type { CertificateAuthority, KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { hostIdOf } from '../../proto/identity.ts'
import { natsUserOfReturn } from '../../proto/return-subject.ts'
import { TrustError } from '../../trust/errors.ts'
import { ControllerError } from '../errors.ts'

/** What the controller needs of its directory to serve; all but the director key is as the files were last taken. */
export type Pki = {
  readonly authority: Pick<
    CertificateAuthority,
    'certificatePem' | 'issueHost' | 'issueOperatorFor' | 'reissueHost'
  >
  readonly server: KeyAndCertificate
  readonly directorKey: KeyObject
  /**
   * Takes CA and server certificate as the files are now, if `judge` finds nothing against them. False when they
   * are what is in use.
   * @throws ControllerError ConfigInvalid; what was in use stays so.
   */
  reload(judge: (found: Certificates) => string | null): Promise<boolean>
}

/** PEM. */
export type Certificates = { readonly authority: string; readonly server: string }

/**
 * Id of the host that asks, which has the key that signed the request.
 * @throws ControllerError RequestInvalid, also for a request that was made to come back: those may be heard by anybody
 * and sent again beside another NATS user.
 */
export async function hostIdOfRequest(certificateRequestPem: string): Promise<string> {
  const { publicKey, subjectName } = await readRequest(certificateRequestPem).catch(refuseRequest)
  const [commonName = ''] = subjectName.getField('CN')
  if (natsUserOfReturn(commonName) !== null) {
    const found = 'the certificate request was made to come back, by a host that is enrolled'
    throw new ControllerError('RequestInvalid', `joining: ${found}; ask with one that was made to enrol`)
  }
  return hostIdOf(new Uint8Array(publicKey.rawData))
}

type Material = { readonly ca: KeyAndCertificate; readonly server: KeyAndCertificate }

/** @throws ControllerError ConfigInvalid when a file is missing or cannot be used. */
export async function openPki(dir: string): Promise<Pki> {
  let material = await readMaterial(dir)
  let authority = await open(material)
  const directorKey = readDirectorKey(dir, await readPem(dir, 'director.key'))
  return {
    authority: {
      get certificatePem() {
        return authority.certificatePem
      },
      issueHost: (...request) => authority.issueHost(...request).catch(refuseRequest),
      issueOperatorFor: (...request) => authority.issueOperatorFor(...request).catch(refuseRequest),
      reissueHost: (...request) => authority.reissueHost(...request).catch(refuseRequest),
    },
    get server() {
      return material.server
    },
    directorKey,
    async reload(judge) {
      const found = await readMaterial(dir)
      if (isSame(found, material)) return false
      const wrong = judge({ authority: found.ca.certificatePem, server: found.server.certificatePem })
      if (wrong !== null) throw new ControllerError('ConfigInvalid', `reading ${dir}: ${wrong}`)
      authority = await open(found)
      material = found
      return true
    },
  }
}

async function open({ ca }: Material): Promise<CertificateAuthority> {
  return openAuthority(ca).catch((error: unknown) => {
    throw asControllerError(error, 'ConfigInvalid')
  })
}

/** @throws ControllerError ConfigInvalid, also when somebody has put only one half of a pair in place so far. */
async function readMaterial(dir: string): Promise<Material> {
  const [ca, server] = await Promise.all([readPair(dir, 'ca'), readPair(dir, 'server')])
  return { ca, server }
}

async function readPair(dir: string, name: string): Promise<KeyAndCertificate> {
  const pair = {
    keyPem: await readPem(dir, `${name}.key`),
    certificatePem: await readPem(dir, `${name}.pem`),
  }
  if (fits(pair)) return pair
  throw new ControllerError(
    'ConfigInvalid',
    `reading ${join(dir, name)}.pem: it is no certificate for the key in ${name}.key`,
  )
}

function fits({ keyPem, certificatePem }: KeyAndCertificate): boolean {
  try {
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    return false
  }
}

function isSame(one: Material, other: Material): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

async function readPem(dir: string, file: string): Promise<string> {
  try {
    return await readFile(join(dir, file), 'utf8')
  } catch (cause) {
    throw new ControllerError(
      'ConfigInvalid',
      `reading ${join(dir, file)}: it cannot be read; pki.dir is the folder "controller" of what bootfleet trust init makes`,
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

export function refuseRequest(error: unknown): never {
  throw asControllerError(error, 'RequestInvalid')
}

function asControllerError(error: unknown, code: 'ConfigInvalid' | 'RequestInvalid'): unknown {
  return error instanceof TrustError ? new ControllerError(code, error.message, { cause: error }) : error
}
