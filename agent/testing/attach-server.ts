import { create } from '@bufbuild/protobuf'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import { AgentService, AttachResponseSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { AttachRequest, AttachResponse, Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { toServiceDefinition } from '../../proto/grpc.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { identityOfCertificate } from '../../proto/identity.ts'
import type { TestAuthority } from './certificates.ts'

export type Received = { readonly hostId: string; readonly request: AttachRequest }

export type AttachServer = {
  readonly address: string
  readonly received: Received[]
  readonly reportsOf: (hostId: string) => readonly Report[]
  /** Resolves with the first report that fits, past ones included. */
  readonly waitFor: (fits: (hostId: string, report: Report) => boolean, timeoutMs?: number) => Promise<Report>
  /** End all streams, as a controller that stops. */
  readonly drop: () => void
  readonly close: () => Promise<void>
}

type Options = { readonly port?: number; readonly as?: 'controller' | 'host'; readonly acknowledge?: boolean }
type Stream = ServerDuplexStream<AttachRequest, AttachResponse>

/** The controller's side of Attach over mutual TLS, with nothing behind it but a list. */
export async function openAttachServer(
  authority: TestAuthority,
  options: Options = {},
): Promise<AttachServer> {
  const received: Received[] = []
  const streams = new Set<Stream>()
  const watchers = new Set<() => void>()
  const server = new Server()
  const take = (hostId: string, request: AttachRequest): void => {
    received.push({ hostId, request })
    for (const watcher of watchers) watcher()
  }
  server.addService(toServiceDefinition(AgentService), { attach: attachHandler(options, streams, take) })
  const port = await bind(server, authority, options)
  const reports = () =>
    received.flatMap(({ hostId, request }) =>
      request.message.case === 'report' ? [{ hostId, report: request.message.value }] : [],
    )
  return {
    address: `127.0.0.1:${port}`,
    received,
    reportsOf: (hostId) => reports().flatMap((one) => (one.hostId === hostId ? [one.report] : [])),
    waitFor: (fits, timeoutMs = 20_000) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = reports().find(({ hostId, report }) => fits(hostId, report))
          if (found === undefined) return
          watchers.delete(look)
          clearTimeout(timer)
          resolve(found.report)
        }
        const timer = setTimeout(() => {
          watchers.delete(look)
          const phases = reports().map(({ report }) => report.phase)
          reject(new Error(`no such report; phases seen: ${phases.join(' ')}`))
        }, timeoutMs)
        watchers.add(look)
        look()
      }),
    drop: () => {
      for (const stream of streams) stream.end()
    },
    close: async () => {
      server.forceShutdown()
    },
  }
}

function attachHandler(
  options: Options,
  streams: Set<Stream>,
  take: (hostId: string, request: AttachRequest) => void,
): Handlers<typeof AgentService>['attach'] {
  return (call: Stream) => {
    const der = call.getAuthContext().sslPeerCertificate?.raw
    const identity = der === undefined ? null : identityOfCertificate(der, Date.now())
    if (identity?.kind !== 'host') {
      call.destroy(new Error('no host'))
      return
    }
    streams.add(call)
    call.on('data', (request: AttachRequest) => {
      if (options.acknowledge !== false) {
        call.write(create(AttachResponseSchema, { acknowledgedThrough: request.sequence }))
      }
      take(identity.hostId, request)
    })
    call.on('end', () => call.end())
    call.on('error', () => {})
    call.on('close', () => streams.delete(call))
  }
}

async function bind(server: Server, authority: TestAuthority, options: Options): Promise<number> {
  const { keyPem, certificatePem } = authority.issue(
    options.as === 'host' ? { kind: 'host', hostId: 'a'.repeat(26) } : { kind: 'controller' },
  )
  const pair = { private_key: Buffer.from(keyPem), cert_chain: Buffer.from(certificatePem) }
  const credentials = ServerCredentials.createSsl(Buffer.from(authority.caPem), [pair], true)
  return new Promise((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
}
