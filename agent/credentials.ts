import type { Logger } from 'pino'
import type { AgentConfig } from './config.ts'
import type { Identity } from './identity/identity.ts'
import type { HostTrust } from './identity/trust.ts'
import { keepRenewed } from './renewal.ts'
import type { Credentials } from './report/channel.ts'
import { renewCertificate } from './report/renew.ts'

/** As they are when asked: a certificate is renewed, and a bundle may name other CAs. */
export function credentialsOf({
  identity,
  trust,
}: {
  readonly identity: Identity
  readonly trust: HostTrust
}): () => Credentials {
  return () => ({
    keyPem: identity.keyPem,
    certificatePem: identity.certificate().pem,
    caPem: trust.authorities() ?? identity.caPem,
  })
}

/** What judging a plan needs of the certificate. */
export function inForce(identity: Identity): {
  readonly hostId: string
  readonly certificateNotBeforeMs: number
} {
  return {
    hostId: identity.hostId,
    get certificateNotBeforeMs() {
      return identity.certificate().notBeforeMs
    },
  }
}

/** Keeps the certificate renewed by the controller until `signal` fires. */
export function renewCertificates(options: {
  readonly config: AgentConfig
  readonly identity: Identity
  readonly credentials: () => Credentials
  readonly onRenewed: () => void
  readonly log: Logger
  readonly signal: AbortSignal
}): Promise<void> {
  const { config, identity, credentials, onRenewed, log, signal } = options
  const renew = async (certificateRequestPem: string): Promise<string> => {
    const request = { certificateRequestPem, natsUserPublicKey: identity.nats.publicKey, signal }
    const answer = await renewCertificate(config.controller, credentials(), request)
    await identity.nats.take(answer.natsUserJwt)
    return answer.certificatePem
  }
  return keepRenewed({ identity, renew, onRenewed, log, signal })
}
