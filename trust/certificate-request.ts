import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { PemConverter, Pkcs10CertificateRequestGenerator } from '@peculiar/x509'

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A new key, and the request for a certificate of it. Who it is for is decided by whoever certifies it. */
export async function makeCertificateRequest(): Promise<{
  readonly keyPem: string
  readonly certificateRequestPem: string
}> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: P256 })
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    keyPem: `${PemConverter.encode(der, 'PRIVATE KEY').trim()}\n`,
    certificateRequestPem: `${request.toString('pem').trim()}\n`,
  }
}
