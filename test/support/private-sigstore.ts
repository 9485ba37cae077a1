import 'reflect-metadata'
import { createHash, generateKeyPairSync, sign, webcrypto } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import {
  BasicConstraintsExtension,
  Extension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { preAuthenticationEncoding } from '../../proto/envelope.ts'

const SIGNING = { name: 'ECDSA', hash: 'SHA-256' }
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' }
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8'
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
const AT_MS = Date.parse('2026-01-01T00:00:00Z')
const MINUTE_MS = 60_000

/** An authority and a log of our own, with which somebody signs as he would at the public ones. */
export type PrivateSigstore = {
  readonly trustedRoot: Buffer
  bundle(signer: Signer, statement: object): Promise<Buffer>
  simpleSigning(
    signer: Signer,
    payload: Buffer,
  ): Promise<{ readonly signature: string; readonly certificate: string; readonly logEntry: string }>
}
/** `issuer`: empty where the certificate says none. */
export type Signer = { readonly issuer: string; readonly subject: string; readonly loggedMs?: number }

export async function openPrivateSigstore(): Promise<PrivateSigstore> {
  const caKeys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=authority,O=private',
    keys: caKeys,
    signingAlgorithm: SIGNING,
    notBefore: new Date(AT_MS - 1000 * MINUTE_MS),
    notAfter: new Date(AT_MS + 1000 * MINUTE_MS),
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    ],
  })
  const log = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const logKey = log.publicKey.export({ type: 'spki', format: 'der' })
  const logId = createHash('sha256').update(logKey).digest()

  async function certify({ issuer, subject }: Signer): Promise<{ der: Buffer; pem: string; key: KeyObject }> {
    const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
    const publicKey = await webcrypto.subtle.importKey('spki', spki, CURVE, true, ['verify'])
    const text = Buffer.from(issuer)
    const certificate = await X509CertificateGenerator.create({
      subject: '',
      issuer: ca.subject,
      publicKey,
      signingKey: caKeys.privateKey,
      signingAlgorithm: SIGNING,
      notBefore: new Date(AT_MS),
      notAfter: new Date(AT_MS + 10 * MINUTE_MS),
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([CODE_SIGNING]),
        new SubjectAlternativeNameExtension([{ type: 'url', value: subject }], true),
        ...(issuer === '' ? [] : [new Extension(ISSUER_V2, false, new Uint8Array(utf8String(text)))]),
      ],
    })
    return { der: Buffer.from(certificate.rawData), pem: certificate.toString('pem'), key: pair.privateKey }
  }

  function promise(body: object, { loggedMs = AT_MS + MINUTE_MS }: Signer) {
    const entry = {
      body: Buffer.from(JSON.stringify(body)).toString('base64'),
      integratedTime: loggedMs / 1000,
      logID: logId.toString('hex'),
      logIndex: 7,
    }
    const signed = sign('sha256', Buffer.from(JSON.stringify(sorted(entry))), log.privateKey)
    return { entry, signedEntryTimestamp: signed.toString('base64') }
  }

  return {
    trustedRoot: Buffer.from(
      JSON.stringify({
        mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
        tlogs: [
          {
            baseUrl: 'https://log.example',
            hashAlgorithm: 'SHA2_256',
            publicKey: {
              rawBytes: logKey.toString('base64'),
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
              validFor: { start: '2025-01-01T00:00:00Z' },
            },
            logId: { keyId: logId.toString('base64') },
          },
        ],
        certificateAuthorities: [
          {
            uri: 'https://authority.example',
            certChain: { certificates: [{ rawBytes: Buffer.from(ca.rawData).toString('base64') }] },
            validFor: { start: '2025-01-01T00:00:00Z' },
          },
        ],
        ctlogs: [],
        timestampAuthorities: [],
      }),
    ),
    async bundle(signer, statement) {
      const { der, key } = await certify(signer)
      const payloadType = 'application/vnd.in-toto+json'
      const payload = Buffer.from(JSON.stringify(statement))
      const sig = sign('sha256', preAuthenticationEncoding(payloadType, payload), key).toString('base64')
      const payloadHash = { algorithm: 'sha256', value: createHash('sha256').update(payload).digest('hex') }
      const spec = { payloadHash, signatures: [{ signature: sig }] }
      const { entry, signedEntryTimestamp } = promise({ apiVersion: '0.0.1', kind: 'dsse', spec }, signer)
      return Buffer.from(
        JSON.stringify({
          mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
          verificationMaterial: {
            x509CertificateChain: { certificates: [{ rawBytes: der.toString('base64') }] },
            tlogEntries: [
              {
                logIndex: String(entry.logIndex),
                logId: { keyId: logId.toString('base64') },
                kindVersion: { kind: 'dsse', version: '0.0.1' },
                integratedTime: String(entry.integratedTime),
                inclusionPromise: { signedEntryTimestamp },
                canonicalizedBody: entry.body,
              },
            ],
          },
          dsseEnvelope: { payload: payload.toString('base64'), payloadType, signatures: [{ sig }] },
        }),
      )
    },
    async simpleSigning(signer, payload) {
      const { key, pem } = await certify(signer)
      const signature = sign('sha256', payload, key).toString('base64')
      const hash = { algorithm: 'sha256', value: createHash('sha256').update(payload).digest('hex') }
      const spec = { data: { hash }, signature: { content: signature, publicKey: { content: '' } } }
      const { entry, signedEntryTimestamp } = promise(
        { apiVersion: '0.0.1', kind: 'hashedrekord', spec },
        signer,
      )
      const logEntry = JSON.stringify({ SignedEntryTimestamp: signedEntryTimestamp, Payload: entry })
      return { signature, certificate: pem, logEntry }
    },
  }
}

function utf8String(text: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x0c, text.length]), text])
}

function sorted(entry: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(entry).toSorted(([left], [right]) => (left < right ? -1 : 1)))
}
