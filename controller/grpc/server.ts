import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import { AgentService } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { toServiceDefinition } from '../../proto/grpc.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { ControllerError } from '../errors.ts'
import { createHealth } from './health.ts'

export type GrpcServerOptions = {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string
  readonly tls: {
    readonly certificateAuthorityPem: string
    readonly keyPem: string
    readonly certificatePem: string
  }
  readonly agentService: Handlers<typeof AgentService>
  readonly operatorService: Handlers<typeof OperatorService>
}

export type GrpcServer = {
  /** `HOST:PORT` as bound. */
  readonly address: string
  /** What health checks are told: SERVING while this controller leads. */
  setServing(serving: boolean): void
  /** Ends open calls within the bound. */
  close(): Promise<void>
}

const MESSAGE_SIZE_MAX_BYTES = 64 * 1024
const CLOSE_TIMEOUT_MS = 2_000

/** @throws ControllerError ConfigInvalid when the address cannot be bound. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_SIZE_MAX_BYTES,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_concurrent_streams': 16,
  })
  const health = createHealth()
  health.addTo(server)
  server.addService(toServiceDefinition(AgentService), implementation(options.agentService))
  server.addService(toServiceDefinition(OperatorService), implementation(options.operatorService))
  const port = await bind(server, options)
  return {
    address: options.listen.replace(/:\d+$/, `:${port}`),
    setServing: health.setServing,
    async close() {
      const timer = setTimeout(() => server.forceShutdown(), CLOSE_TIMEOUT_MS)
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
      clearTimeout(timer)
    },
  }
}

function bind(server: Server, { listen, tls }: GrpcServerOptions): Promise<number> {
  const pair = { private_key: Buffer.from(tls.keyPem), cert_chain: Buffer.from(tls.certificatePem) }
  const credentials = ServerCredentials.createSsl(Buffer.from(tls.certificateAuthorityPem), [pair], true)
  // createSsl has no option for the version, and the process-wide default would bind registries and git too.
  Object.assign(credentials._getConstructorOptions() ?? {}, { minVersion: 'TLSv1.3' })
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => {
      if (error === null) return resolve(port)
      const message = `listening on ${listen}: ${error.message}; check grpc.listen`
      reject(new ControllerError('ConfigInvalid', message, { cause: error }))
    })
  })
}

function implementation(handlers: object): UntypedServiceImplementation {
  return handlers as UntypedServiceImplementation
}
