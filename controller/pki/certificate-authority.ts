import 'reflect-metadata'
import { createPublicKey, webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { JsonGeneralNames, PublicKey } from '@peculiar/x509'
import { hostIdOf, identityUri } from '../../proto/identity.ts'
import type { Identity } from '../../proto/identity.ts'
import { ControllerError } from '../errors.ts'

export type KeyAndCertificate = { readonly keyPem: string; readonly certificatePem: string }
export type HostCertificate = { readonly hostId: string; readonly certificatePem: string }

export type CertificateAuthority = {
  readonly certificatePem: string
  /** `dns` and `ip`: names beside localhost under which clients reach the controller. */
  issueServer(names: {
    readonly dns: readonly string[]
    readonly ip: readonly string[]
  }): Promise<KeyAndCertificate>
  issueOperator(name: string): Promise<KeyAndCertificate>
  /**
   * Certificate for the key of a request; nothing else in the request counts. The host's id follows from the key.
   * @throws ControllerError RequestInvalid when it is no request, or not signed by its own P-256 key.
   */
  readonly issueHost: (certificateRequestPem: string, lifetimeMs: number) => Promise<HostCertificate>
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const
const DAY_MS = 24 * 60 * 60 * 1000
const AUTHORITY_LIFE_MS = 3650 * DAY_MS
const PROGRAM_LIFE_MS = 365 * DAY_MS
/** A host whose clock is a little behind must still take a fresh certificate. */
const CLOCK_SKEW_MS = 5 * 60 * 1000
const REQUEST_SIZE_MAX_BYTES = 16 * 1024

export async function createAuthority(): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=bootfleet CA',
    keys,
    signingAlgorithm: SIGNING,
    ...validity(AUTHORITY_LIFE_MS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { keyPem: await exportKey(keys.privateKey), certificatePem: asPem(certificate) }
}

/** @throws ControllerError ConfigInvalid when key and certificate cannot be read. */
export async function openAuthority({
  keyPem,
  certificatePem,
}: KeyAndCertificate): Promise<CertificateAuthority> {
  const certificate = readCertificate(certificatePem)
  const signingKey = await readKey(keyPem)

  async function issue(
    identity: Identity,
    publicKey: PublicKey | webcrypto.CryptoKey,
    leaf: Leaf,
  ): Promise<string> {
    const names: JsonGeneralNames = [{ type: 'url', value: identityUri(identity) }, ...(leaf.names ?? [])]
    const issued = await X509CertificateGenerator.create({
      subject: `CN=${identity.kind}`,
      issuer: certificate.subject,
      publicKey,
      signingKey,
      signingAlgorithm: SIGNING,
      ...validity(leaf.lifetimeMs),
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([leaf.usage]),
        new SubjectAlternativeNameExtension(names),
        await AuthorityKeyIdentifierExtension.create(certificate.publicKey),
      ],
    })
    return asPem(issued)
  }

  async function issueWithNewKey(identity: Identity, leaf: Leaf): Promise<KeyAndCertificate> {
    const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify'])
    const issuedPem = await issue(identity, keys.publicKey, leaf)
    return { keyPem: await exportKey(keys.privateKey), certificatePem: issuedPem }
  }

  return {
    certificatePem,
    issueServer({ dns, ip }) {
      const names: JsonGeneralNames = [
        ...['localhost', ...dns].map((value) => ({ type: 'dns' as const, value })),
        ...['127.0.0.1', '::1', ...ip].map((value) => ({ type: 'ip' as const, value })),
      ]
      const leaf = { usage: ExtendedKeyUsage.serverAuth, names, lifetimeMs: PROGRAM_LIFE_MS }
      return issueWithNewKey({ kind: 'controller' }, leaf)
    },
    issueOperator(name) {
      const leaf = { usage: ExtendedKeyUsage.clientAuth, lifetimeMs: PROGRAM_LIFE_MS }
      return issueWithNewKey({ kind: 'operator', name }, leaf)
    },
    async issueHost(certificateRequestPem, lifetimeMs) {
      const { publicKey } = await readRequest(certificateRequestPem)
      const hostId = hostIdOf(new Uint8Array(publicKey.rawData))
      const leaf = { usage: ExtendedKeyUsage.clientAuth, lifetimeMs }
      return { hostId, certificatePem: await issue({ kind: 'host', hostId }, publicKey, leaf) }
    },
  }
}

type Leaf = {
  readonly usage: ExtendedKeyUsage
  readonly names?: JsonGeneralNames
  readonly lifetimeMs: number
}

async function readRequest(pem: string): Promise<Pkcs10CertificateRequest> {
  if (pem.length > REQUEST_SIZE_MAX_BYTES) throw invalidRequest(`it is ${pem.length} bytes long`)
  try {
    const request = new Pkcs10CertificateRequest(pem)
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' })
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw invalidRequest('its key is not P-256')
    if (!(await request.verify())) throw invalidRequest('it is not signed by its own key')
    return request
  } catch (cause) {
    if (cause instanceof ControllerError) throw cause
    throw invalidRequest('it cannot be read', cause)
  }
}

function invalidRequest(found: string, cause?: unknown): ControllerError {
  return new ControllerError(
    'RequestInvalid',
    `reading a certificate request: ${found}; send a PEM certificate request made with a P-256 key`,
    { cause },
  )
}

function validity(lifetimeMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(Date.now() - CLOCK_SKEW_MS), notAfter: new Date(Date.now() + lifetimeMs) }
}

function asPem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key)
  return `${PemConverter.encode(der, 'PRIVATE KEY').trim()}\n`
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new ControllerError('ConfigInvalid', 'reading the CA certificate: it is no PEM certificate', {
      cause,
    })
  }
}

async function readKey(pem: string): Promise<webcrypto.CryptoKey> {
  try {
    return await webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(pem), P256, false, ['sign'])
  } catch (cause) {
    throw new ControllerError('ConfigInvalid', 'reading the CA key: it is no PEM P-256 key in PKCS#8', {
      cause,
    })
  }
}
