import { X509Certificate } from 'node:crypto'
import type { ControllerOptions } from './options.ts'

/** PEM of the CA that issued the server's certificate; while CAs are replaced that may not be the one that issues. */
export function serverAuthorityOf({ pki, trustFile }: Pick<ControllerOptions, 'pki' | 'trustFile'>): string {
  const server = new X509Certificate(pki.server.certificatePem)
  const issuer = trustFile.authorities().find((pem) => server.verify(new X509Certificate(pem).publicKey))
  return issuer ?? pki.authority.certificatePem
}
