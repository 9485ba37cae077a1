import { createPublicKey, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { bitString, emptyContext, objectIdentifier, sequence, set, smallInteger, utf8String } from './der.ts'

const COMMON_NAME = '2.5.4.3'
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'

/**
 * PKCS#10 request (RFC 2986, PEM) for a P-256 key. It proves possession of the key; the subject is for people,
 * and the CA takes nothing but the public key from it.
 */
export function createCertificateRequest(privateKey: KeyObject, commonName: string): string {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const subject = sequence(set(sequence(objectIdentifier(COMMON_NAME), utf8String(commonName))))
  const info = sequence(smallInteger(0), subject, spki, emptyContext())
  const signature = sign('sha256', info, privateKey)
  const request = sequence(info, sequence(objectIdentifier(ECDSA_WITH_SHA256)), bitString(signature))
  const lines = request.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`
}
