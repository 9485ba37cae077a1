import type { DescService } from '@bufbuild/protobuf'
import { Server } from '@grpc/grpc-js'
import { toServiceDefinition } from '../../proto/grpc.ts'
import { closeServer, implementation, listenOn } from './listen.ts'
import { ReloadedCredentials } from './server-credentials.ts'
import type { ServerTls } from './server-credentials.ts'

/** One service of the listener: `handlers` are `Handlers<typeof service>`. */
export type JoinedService = { readonly service: DescService; readonly handlers: object }

export type JoinServerOptions = {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string
  /** Asked at the start and at every `reloadTls`; certificate and the CA that issued it. */
  readonly tls: () => Omit<ServerTls, 'clientAuthoritiesPem'>
  readonly services: readonly JoinedService[]
}

export type JoinServer = {
  /** `HOST:PORT` as bound. */
  readonly address: string
  readonly reloadTls: () => void
  close(): Promise<void>
}

/** Who calls here has shown nothing yet: a request is a key, a token and a signature, and a call is short. */
const MESSAGE_SIZE_MAX_BYTES = 32 * 1024
const CONNECTION_AGE_MS = 2 * 60 * 1000
const CONNECTION_IDLE_MS = 30 * 1000

/**
 * TLS 1.3 that asks callers for no certificate, for what must be possible before there is one. Everything else is
 * served by the other listener alone.
 * @throws ControllerError ConfigInvalid when the address cannot be bound.
 */
export async function startJoinServer(options: JoinServerOptions): Promise<JoinServer> {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_SIZE_MAX_BYTES,
    'grpc.max_concurrent_streams': 4,
    'grpc.max_connection_age_ms': CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': 10_000,
    'grpc.max_connection_idle_ms': CONNECTION_IDLE_MS,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
  })
  for (const { service, handlers } of options.services) {
    server.addService(toServiceDefinition(service), implementation(handlers))
  }
  const tls = (): ServerTls => ({ ...options.tls(), clientAuthoritiesPem: null })
  const credentials = new ReloadedCredentials(tls())
  const address = await listenOn(server, { listen: options.listen, setting: 'join.listen', credentials })
  return {
    address,
    reloadTls: () => credentials.reload(tls()),
    close: () => closeServer(server),
  }
}
