import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { DescService } from '@bufbuild/protobuf'
import { credentials as tls } from '@grpc/grpc-js'
import { AgentService } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import type { ServiceClient } from '../../proto/grpc.ts'
import { identityOfCertificate } from '../../proto/identity.ts'
import { TRUST_SIZE_MAX_BYTES } from '../../proto/trust-bundle.ts'

/** What the host shows, and whom it takes for the controller. */
export type Credentials = {
  readonly keyPem: string
  readonly certificatePem: string
  readonly caPem: string
}

export type Endpoint = {
  /** host:port of the controller. */
  readonly address: string
  readonly serverName?: string | undefined
}

/**
 * Mutual TLS 1.3. Whom we speak to is told by the controller's URI in its certificate, not by a DNS name: every
 * host's certificate comes from the same CA and must not pass for the controller.
 */
export function openChannel(
  endpoint: Endpoint,
  { keyPem: key, certificatePem: cert, caPem: ca }: Credentials,
): ServiceClient<typeof AgentService> {
  return openClient(AgentService, endpoint, createSecureContext({ key, cert, ca, minVersion: 'TLSv1.3' }))
}

/** As {@link openChannel}, of a host that has no certificate to show yet. */
export function openBareChannel<Service extends DescService>(
  service: Service,
  endpoint: Endpoint,
  ca: string,
): ServiceClient<Service> {
  return openClient(service, endpoint, createSecureContext({ ca, minVersion: 'TLSv1.3' }))
}

function openClient<Service extends DescService>(
  service: Service,
  endpoint: Endpoint,
  context: SecureContext,
): ServiceClient<Service> {
  const serverName = endpoint.serverName ?? 'bootfleet-controller'
  const checkServerIdentity = (_name: string, peer: { raw: Buffer }): Error | undefined => {
    if (identityOfCertificate(peer.raw, Date.now())?.kind === 'controller') return undefined
    return new Error(
      `the server at ${endpoint.address} is not the controller: ${new X509Certificate(peer.raw).subjectAltName ?? 'no name'}`,
    )
  }
  return createClient(service, {
    address: endpoint.address,
    credentials: tls.createFromSecureContext(context, { checkServerIdentity }),
    options: {
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      // A trust bundle of the largest size, and what stands around it.
      'grpc.max_receive_message_length': 2 * TRUST_SIZE_MAX_BYTES,
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
