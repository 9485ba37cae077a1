import { X509Certificate } from 'node:crypto'
import type { TlsOptions } from '@nats-io/transport-node'
import { identityOfCertificate } from './identity.ts'

export type TlsCredentials = {
  readonly keyPem: string
  readonly certificatePem: string
  readonly caPem: string
}

/** What TLS is asked for; nothing is judged by it. */
const SERVER_NAME = 'bootfleet-nats'

/**
 * Mutual TLS 1.3 before the first word of the protocol. As with gRPC, whom we speak to is told by the one URI in
 * the server's certificate: every host's comes from the same CA. Credentials are asked for at every connection.
 */
export function natsTls(credentials: () => TlsCredentials): TlsOptions {
  const options = {
    handshakeFirst: true,
    minVersion: 'TLSv1.3',
    servername: SERVER_NAME,
    checkServerIdentity: (_name: string, { raw }: { readonly raw: Buffer }) => whyNotNats(raw),
    get key() {
      return credentials().keyPem
    },
    get cert() {
      return credentials().certificatePem
    },
    get ca() {
      return credentials().caPem
    },
  }
  return options
}

/** Why the certificate is not that of the NATS server; undefined when it is. */
export function whyNotNats(der: Buffer): Error | undefined {
  if (identityOfCertificate(der, Date.now())?.kind === 'nats') return undefined
  return new Error(`the server is not NATS: ${new X509Certificate(der).subjectAltName ?? 'no name'}`)
}
