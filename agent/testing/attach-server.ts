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
type HostReport = { readonly hostId: string; readonly report: Report }
type Stream = ServerDuplexStream<AttachRequest, AttachResponse>

/** The controller's side of Attach over mutual TLS, with nothing behind it but a list. */
export async function openAttachServer(
  authority: TestAuthority,
  options: Options = {},
): Promise<AttachServer> {
  const received: Received[] = []
  const streams = new Set<Stream>()
  const reports: HostReport[] = []
  const watchers = new Set<(report: HostReport) => void>()
  const server = new Server()
  const take = (hostId: string, request: AttachRequest): void => {
    received.push({ hostId, request })
    if (request.message.case !== 'report') return
    const one = { hostId, report: request.message.value }
    reports.push(one)
    for (const watcher of watchers) watcher(one)
  }
  server.addService(toServiceDefinition(AgentService), { attach: attachHandler(options, streams, take) })
  const port = await bind(server, authority, options)
  return {
    address: `127.0.0.1:${port}`,
    received,
    reportsOf: (id) => reports.flatMap(({ hostId, report }) => (hostId === id ? [report] : [])),
    waitFor: (fits, timeoutMs = 90_000) =>
      new Promise((resolve, reject) => {
        const past = reports.find(({ hostId, report }) => fits(hostId, report))
        if (past !== undefined) {
          resolve(past.report)
          return
        }
        // Each new report is looked at once: with hundreds of hosts, searching them all again takes minutes.
        const look = ({ hostId, report }: HostReport): void => {
          if (!fits(hostId, report)) return
          watchers.delete(look)
          clearTimeout(timer)
          resolve(report)
        }
        const timer = setTimeout(() => {
          watchers.delete(look)
          const phases = reports.map(({ report }) => report.phase)
          reject(new Error(`no such report; phases seen: ${phases.join(' ')}`))
        }, timeoutMs)
        watchers.add(look)
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
