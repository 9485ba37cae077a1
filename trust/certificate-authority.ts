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
import { BACKDATED_MS, hostIdOf, identityUri, parseIdentityUri } from '../proto/identity.ts'
import type { Identity } from '../proto/identity.ts'
import { TrustError } from './errors.ts'

export type KeyAndCertificate = { readonly keyPem: string; readonly certificatePem: string }
export type HostCertificate = { readonly hostId: string; readonly certificatePem: string }

export type CertificateAuthority = {
  readonly certificatePem: string
  /** `dns` and `ip`: names beside localhost under which clients reach the server. `kind`: default controller. */
  issueServer(
    names: { readonly dns: readonly string[]; readonly ip: readonly string[] },
    kind?: 'controller' | 'nats',
  ): Promise<KeyAndCertificate>
  issueOperator(name: string): Promise<KeyAndCertificate>
  /**
   * Certificate of an operator for the key of a request.
   * @throws TrustError RequestInvalid as {@link CertificateAuthority.issueHost}, or when the name is none.
   */
  readonly issueOperatorFor: (
    certificateRequestPem: string,
    operator: { readonly name: string; readonly lifetimeMs: number; readonly login?: string },
  ) => Promise<string>
  /**
   * Certificate for the key of a request; nothing else in the request counts. The host's id follows from the key.
   * @throws TrustError RequestInvalid when it is no request, or not signed by its own P-256 key.
   */
  readonly issueHost: (certificateRequestPem: string, lifetimeMs: number) => Promise<HostCertificate>
  /**
   * Another certificate for a host that has one, for the key of a request, which may be a new one.
   * @throws TrustError RequestInvalid as {@link CertificateAuthority.issueHost}.
   */
  readonly reissueHost: (
    certificateRequestPem: string,
    host: { readonly hostId: string; readonly lifetimeMs: number },
  ) => Promise<string>
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const
const DAY_MS = 24 * 60 * 60 * 1000
const AUTHORITY_LIFE_MS = 3650 * DAY_MS
const PROGRAM_LIFE_MS = 365 * DAY_MS
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

/** @throws TrustError TrustInvalid when key and certificate cannot be read. */
export async function openAuthority({
  keyPem,
  certificatePem,
}: KeyAndCertificate): Promise<CertificateAuthority> {
  const issuer = { certificate: readCertificate(certificatePem), signingKey: await readKey(keyPem) }
  const issue: Issue = (...leaf) => issueLeaf(issuer, ...leaf)

  async function issueWithNewKey(identity: Identity, leaf: Leaf): Promise<KeyAndCertificate> {
    const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify'])
    const issuedPem = await issue(identity, keys.publicKey, leaf)
    return { keyPem: await exportKey(keys.privateKey), certificatePem: issuedPem }
  }

  return {
    certificatePem,
    issueServer({ dns, ip }, kind = 'controller') {
      const names: JsonGeneralNames = [
        ...['localhost', ...dns].map((value) => ({ type: 'dns' as const, value })),
        ...['127.0.0.1', '::1', ...ip].map((value) => ({ type: 'ip' as const, value })),
      ]
      const { serverAuth, clientAuth } = ExtendedKeyUsage
      // The controller is a client of NATS under the same name.
      const usage = kind === 'controller' ? [serverAuth, clientAuth] : [serverAuth]
      return issueWithNewKey({ kind }, { usage, names, lifetimeMs: PROGRAM_LIFE_MS })
    },
    issueOperator(name) {
      const leaf = { usage: [ExtendedKeyUsage.clientAuth], lifetimeMs: PROGRAM_LIFE_MS }
      return issueWithNewKey({ kind: 'operator', name }, leaf)
    },
    async issueOperatorFor(certificateRequestPem, { lifetimeMs, ...operator }) {
      const { name } = operator
      const identity: Identity = { kind: 'operator', ...operator }
      if (parseIdentityUri(identityUri(identity)) === null) {
        throw new TrustError(
          'RequestInvalid',
          `certifying operator ${JSON.stringify(name.slice(0, 64))}: it is no name; write 1 to 63 of a-z, 0-9, ".", "_" and "-"`,
        )
      }
      const { publicKey } = await readRequest(certificateRequestPem)
      return issue(identity, publicKey, { usage: [ExtendedKeyUsage.clientAuth], lifetimeMs })
    },
    async issueHost(certificateRequestPem, lifetimeMs) {
      const { publicKey } = await readRequest(certificateRequestPem)
      const hostId = hostIdOf(new Uint8Array(publicKey.rawData))
      const leaf = { usage: [ExtendedKeyUsage.clientAuth], lifetimeMs }
      return { hostId, certificatePem: await issue({ kind: 'host', hostId }, publicKey, leaf) }
    },
    async reissueHost(certificateRequestPem, { hostId, lifetimeMs }) {
      const { publicKey } = await readRequest(certificateRequestPem)
      const leaf = { usage: [ExtendedKeyUsage.clientAuth], lifetimeMs }
      return issue({ kind: 'host', hostId }, publicKey, leaf)
    },
  }
}

type Issuer = { readonly certificate: X509Certificate; readonly signingKey: webcrypto.CryptoKey }
type Issue = (identity: Identity, publicKey: PublicKey | webcrypto.CryptoKey, leaf: Leaf) => Promise<string>

async function issueLeaf(
  { certificate, signingKey }: Issuer,
  ...[identity, publicKey, leaf]: Parameters<Issue>
): Promise<string> {
  const names: JsonGeneralNames = [{ type: 'url', value: identityUri(identity) }, ...(leaf.names ?? [])]
  const issued = await X509CertificateGenerator.create({
    subject: `CN=${identity.kind}`,
    // As it is encoded there: Go compares the bytes of names.
    issuer: certificate.subjectName,
    publicKey,
    signingKey,
    signingAlgorithm: SIGNING,
    ...validity(leaf.lifetimeMs),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([...leaf.usage]),
      new SubjectAlternativeNameExtension(names),
      await AuthorityKeyIdentifierExtension.create(certificate.publicKey),
    ],
  })
  return asPem(issued)
}

type Leaf = {
  readonly usage: readonly ExtendedKeyUsage[]
  readonly names?: JsonGeneralNames
  readonly lifetimeMs: number
}

/** @throws TrustError RequestInvalid. */
export async function readRequest(pem: string): Promise<Pkcs10CertificateRequest> {
  if (pem.length > REQUEST_SIZE_MAX_BYTES) throw invalidRequest(`it is ${pem.length} bytes long`)
  try {
    const request = new Pkcs10CertificateRequest(pem)
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' })
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw invalidRequest('its key is not P-256')
    if (!(await request.verify())) throw invalidRequest('it is not signed by its own key')
    return request
  } catch (cause) {
    if (cause instanceof TrustError) throw cause
    throw invalidRequest('it cannot be read', cause)
  }
}

function invalidRequest(found: string, cause?: unknown): TrustError {
  return new TrustError(
    'RequestInvalid',
    `reading a certificate request: ${found}; send a PEM certificate request made with a P-256 key`,
    { cause },
  )
}

function validity(lifetimeMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(Date.now() - BACKDATED_MS), notAfter: new Date(Date.now() + lifetimeMs) }
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
    throw new TrustError('TrustInvalid', 'reading the CA certificate: it is no PEM certificate', {
      cause,
    })
  }
}

async function readKey(pem: string): Promise<webcrypto.CryptoKey> {
  try {
    return await webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(pem), P256, false, ['sign'])
  } catch (cause) {
    throw new TrustError('TrustInvalid', 'reading the CA key: it is no PEM P-256 key in PKCS#8', {
      cause,
    })
  }
}
