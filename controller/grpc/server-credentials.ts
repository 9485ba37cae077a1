import { ServerCredentials } from '@grpc/grpc-js'
import type { SecureContextOptions } from 'node:tls'

/** All PEM. */
export type ServerTls = {
  /** CAs whose certificates callers may show; null: callers show none. */
  readonly clientAuthoritiesPem: string | null
  readonly keyPem: string
  readonly certificatePem: string
}

/**
 * Mutual TLS 1.3 whose certificate and CAs are replaced while it serves. The connections that are open go on; a
 * session of before cannot be resumed. grpc-js's own credentials that do this cannot say a lowest version, and
 * would offer TLS 1.2 from the first replacement on.
 */
export class ReloadedCredentials extends ServerCredentials {
  constructor(tls: ServerTls) {
    const asks = tls.clientAuthoritiesPem !== null
    super({ requestCert: asks, rejectUnauthorized: asks }, contextOf(tls))
  }

  reload(tls: ServerTls): void {
    this.updateSecureContextOptions(contextOf(tls))
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}

function contextOf({ clientAuthoritiesPem, keyPem, certificatePem }: ServerTls): SecureContextOptions {
  const own = { key: keyPem, cert: certificatePem, minVersion: 'TLSv1.3' as const }
  return clientAuthoritiesPem === null ? own : { ...own, ca: clientAuthoritiesPem }
}
