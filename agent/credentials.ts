import type { Logger } from 'pino'
import type { AgentConfig } from './config.ts'
import type { Identity } from './identity/identity.ts'
import type { HostTrust } from './identity/trust.ts'
import { comeBack } from './joining/come-back.ts'
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

/**
 * Keeps the certificate renewed by the controller until `signal` fires. Where that fails, the host asks to come back
 * by its own key: its certificate may have ended, or the CA be another.
 */
export function renewCertificates(options: {
  readonly config: AgentConfig
  readonly identity: Identity
  readonly trust: HostTrust
  readonly credentials: () => Credentials
  /** Of a trust bundle that came on another way than with reports. */
  readonly offer: (envelope: Uint8Array) => Promise<void>
  /** When the controller last answered a report. */
  readonly heardAtMs: () => number
  readonly onRenewed: () => void
  readonly log: Logger
  readonly signal: AbortSignal
}): Promise<void> {
  const { config, identity, trust, credentials, offer, onRenewed, log, signal } = options
  const { joinAddress: address } = config.controller
  const renew = async (certificateRequestPem: string): Promise<string> => {
    const request = { certificateRequestPem, natsUserPublicKey: identity.nats.publicKey, signal }
    const answer = await renewCertificate(config.controller, credentials(), request)
    await identity.nats.take(answer.natsUserJwt)
    return answer.certificatePem
  }
  if (address === undefined) return keepRenewed({ identity, renew, onRenewed, log, signal })
  const renewOrComeBack = async (certificateRequestPem: string): Promise<string> => {
    try {
      return await renew(certificateRequestPem)
    } catch (error) {
      const certificatePem = await comeBack({ address, identity, trust, offer, signal })
      if (certificatePem === null) throw error
      log.warn('came back by its own key: the certificate before counted no more')
      return certificatePem
    }
  }
  const { heardAtMs } = options
  return keepRenewed({ identity, renew: renewOrComeBack, heardAtMs, onRenewed, log, signal })
}
