import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { credentials } from '@grpc/grpc-js'
import { AgentService } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import type { ServiceClient } from '../../proto/grpc.ts'
import { identityOfCertificate } from '../../proto/identity.ts'

export type ChannelOptions = {
  /** host:port of the controller. */
  readonly address: string
  readonly serverName?: string | undefined
  readonly keyPem: string
  readonly certificatePem: string
  readonly caPem: string
}

/**
 * Mutual TLS 1.3. Whom we speak to is told by the controller's URI in its certificate, not by a DNS name: every
 * host's certificate comes from the same CA and must not pass for the controller.
 */
export function openChannel(options: ChannelOptions): ServiceClient<typeof AgentService> {
  const { keyPem: key, certificatePem: cert, caPem: ca } = options
  const serverName = options.serverName ?? 'bootfleet-controller'
  const context = createSecureContext({ key, cert, ca, minVersion: 'TLSv1.3' })
  const checkServerIdentity = (_name: string, peer: { raw: Buffer }): Error | undefined => {
    if (identityOfCertificate(peer.raw, Date.now())?.kind === 'controller') return undefined
    return new Error(
      `the server at ${options.address} is not the controller: ${new X509Certificate(peer.raw).subjectAltName ?? 'no name'}`,
    )
  }
  return createClient(AgentService, {
    address: options.address,
    credentials: credentials.createFromSecureContext(context, { checkServerIdentity }),
    options: {
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.max_receive_message_length': 64 * 1024,
      // One connection each: hosts in one process must not share another's identity.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 30_000,
      // Never the address itself: TLS allows no IP address there, and nothing is judged by it.
      'grpc.ssl_target_name_override': serverName,
      'grpc.default_authority': serverName,
    },
  })
}
