import { Server } from '@grpc/grpc-js'
import { AgentService } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { toServiceDefinition } from '../../proto/grpc.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { createHealth } from './health.ts'
import { closeServer, implementation, listenOn } from './listen.ts'
import { ReloadedCredentials } from './server-credentials.ts'
import type { ServerTls } from './server-credentials.ts'

export type GrpcServerOptions = {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string
  /** Asked at the start and at every `reloadTls`. */
  readonly tls: () => ServerTls
  readonly agentService: Handlers<typeof AgentService>
  readonly operatorService: Handlers<typeof OperatorService>
}

export type GrpcServer = {
  /** `HOST:PORT` as bound. */
  readonly address: string
  /** What health checks are told: SERVING while this controller leads. */
  setServing(serving: boolean): void
  /** New connections get the certificate, and are judged by the CAs, as they are now. */
  readonly reloadTls: () => void
  /** Ends open calls within the bound. */
  close(): Promise<void>
}

const MESSAGE_SIZE_MAX_BYTES = 64 * 1024
/** So long a CA that is no longer believed may still speak; a tenth more or less, so that hosts do not come at once. */
const CONNECTION_AGE_MS = 10 * 60 * 1000
/** Whoever calls opens another connection meanwhile; a stream is cut at its end, and comes back. */
const CONNECTION_AGE_GRACE_MS = 60 * 1000

/** @throws ControllerError ConfigInvalid when the address cannot be bound. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_SIZE_MAX_BYTES,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_concurrent_streams': 16,
    'grpc.max_connection_age_ms': CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': CONNECTION_AGE_GRACE_MS,
  })
  const health = createHealth()
  health.addTo(server)
  server.addService(toServiceDefinition(AgentService), implementation(options.agentService))
  server.addService(toServiceDefinition(OperatorService), implementation(options.operatorService))
  const credentials = new ReloadedCredentials(options.tls())
  const address = await listenOn(server, { listen: options.listen, setting: 'grpc.listen', credentials })
  return {
    address,
    setServing: health.setServing,
    reloadTls: () => credentials.reload(options.tls()),
    close: () => closeServer(server),
  }
}
