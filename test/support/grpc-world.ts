import 'reflect-metadata'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { credentials } from '@grpc/grpc-js'
import type { ChannelCredentials, ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import pino from 'pino'
import { ControllerError } from '../../controller/errors.ts'
import { createAgentService } from '../../controller/grpc/agent-service.ts'
import { createOperatorService } from '../../controller/grpc/operator-service.ts'
import type { ServerTls } from '../../controller/grpc/server-credentials.ts'
import { startGrpcServer } from '../../controller/grpc/server.ts'
import type { Snapshot } from '../../controller/grpc/status-view.ts'
import { defaultRoles } from '../../controller/operators/bindings-file.ts'
import type { Order, Ordered } from '../../controller/orders/order.ts'
import { issueOperator } from '../../controller/operators/issue.ts'
import type { LoginKey } from '../../controller/operators/login-keys.ts'
import type { Binding } from '../../controller/operators/roles.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import type { CertificateAuthority, KeyAndCertificate } from '../../trust/certificate-authority.ts'
import type { AuditFact } from '../../proto/audit-entry.ts'
import type { HostReport } from '../../controller/rollout/report.ts'
import { AgentService, AttachRequestSchema, Phase } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { AttachRequest, AttachResponse } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import { noTokens } from './no-tokens.ts'
import type { ServiceClient } from '../../proto/grpc.ts'

type AttachStream = ClientDuplexStream<AttachRequest, AttachResponse>
type MessageInit = Exclude<MessageInitShape<typeof AttachRequestSchema>, AttachRequest>
export type HostIdentity = KeyAndCertificate & { readonly hostId: string }
export type TakenReport = {
  readonly report: HostReport
  readonly store: () => void
  readonly refuse: (error: Error) => void
}

/** The gRPC server over real TLS, in front of a controller that only notes what reaches it. */
export type GrpcWorld = {
  readonly address: string
  readonly authority: CertificateAuthority
  readonly host: HostIdentity
  readonly operator: KeyAndCertificate
  enrolled: Set<string>
  revoked: Set<string>
  trustBundles: Uint8Array[]
  taken: TakenReport[]
  attachments: { detached: boolean }[]
  leads: boolean
  /** Of operators; kim has every role for every fleet. */
  bindings: readonly Binding[]
  loginKeys: readonly LoginKey[]
  /** What was written to the audit log. */
  facts: AuditFact[]
  auditLines: string[]
  auditFails: boolean
  /** What an order does; unless a test says otherwise its fleet is not there. */
  onOrder: (order: Order) => Promise<Ordered>
  /** Null: this controller stands by. */
  snapshot: Snapshot | null
  /** Tells every watch that something changed. */
  change(): void
  /** What the server shows and believes from here on, on new connections. */
  serveWith(changes: Partial<ServerTls>): void
  attach(identity: KeyAndCertificate): AttachStream
  agentClient(identity: KeyAndCertificate): ServiceClient<typeof AgentService>
  operatorClient(identity: KeyAndCertificate | null): ServiceClient<typeof OperatorService>
  /** As between two tests: everyone enrolled again, nothing noted, every client closed. */
  reset(): void
  close(): Promise<void>
}

export const bootId = '6d1c'

const asBegun = () =>
  ({
    auditFails: false,
    auditLines: [],
    bindings: [{ who: ['kim'], role: 'admin', fleets: ['*'] }],
    facts: [],
    loginKeys: [],
    onOrder: () => Promise.reject(new ControllerError('NotFound', 'no such fleet')),
    snapshot: null,
  }) satisfies Partial<GrpcWorld>

export async function startGrpcWorld(): Promise<GrpcWorld> {
  const logger = pino({ level: 'silent' })
  const authority = await openAuthority(await createAuthority())
  const host = await newHost(authority, 60_000)
  const clients: { close(): void }[] = []
  let tls: ServerTls = {
    clientAuthoritiesPem: authority.certificatePem,
    ...(await authority.issueServer({ dns: [], ip: [] })),
  }
  const listeners = new Set<() => void>()
  const listen = (listener: () => void): (() => void) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  const server = await startGrpcServer({
    listen: '127.0.0.1:0',
    tls: () => tls,
    agentService: createAgentService(
      {
        admissionOf(hostId) {
          if (!world.leads) throw new ControllerError('NotLeader', 'another leads')
          if (world.revoked.has(hostId)) return 'Revoked'
          return world.enrolled.has(hostId) ? 'Enrolled' : 'Unknown'
        },
        trustAfter: (number) => world.trustBundles.slice(number),
        renew: async (hostId, { certificateRequestPem }) => ({
          certificatePem: await authority.reissueHost(certificateRequestPem, { hostId, lifetimeMs: 60_000 }),
          natsUserJwt: '',
        }),
        attach() {
          const attachment = { detached: false }
          world.attachments.push(attachment)
          return {
            report: (taken) =>
              new Promise((store, refuse) => world.taken.push({ report: taken, store, refuse })),
            progress: () => undefined,
            seen: () => undefined,
            detach: () => void (attachment.detached = true),
          }
        },
      },
      logger,
    ),
    operatorService: createOperatorService(
      {
        audit: {
          append(fact) {
            if (world.auditFails) return Promise.reject(new ControllerError('AuditUnavailable', 'disk full'))
            world.facts.push(fact)
            return Promise.resolve(world.facts.length)
          },
          async *lines() {
            yield* world.auditLines
          },
          recent: () => world.auditLines,
          listen,
        },
        roles: { ...defaultRoles, bindings: () => world.bindings, loginKeys: () => world.loginKeys },
        snapshot() {
          if (world.snapshot !== null) return world.snapshot
          throw new ControllerError('NotLeader', 'another leads')
        },
        sync: () => Promise.reject(new Error('/secret/path')),
        order: (order) => world.onOrder(order),
        enrol: ({ name }) =>
          Promise.resolve({
            hostId: name,
            certificatePem: '',
            certificateAuthorityPem: '',
            trustBundles: [],
            natsUserJwt: '',
          }),
        revoke: ({ host: hostId }) => {
          world.revoked.add(hostId)
          return Promise.resolve({ hostId, message: 'done', changed: true })
        },
        tokens: noTokens,
        webPort: () => 0,
        issueOperator: (request) =>
          issueOperator(authority, request).catch((error: Error) => {
            throw new ControllerError('RequestInvalid', error.message)
          }),
        listen: (listener) => (world.snapshot === null ? null : listen(listener)),
      },
      logger,
    ),
  })
  const world: GrpcWorld = {
    address: server.address,
    authority,
    host,
    operator: await authority.issueOperator('kim'),
    enrolled: new Set([host.hostId]),
    revoked: new Set(),
    trustBundles: [],
    taken: [],
    attachments: [],
    leads: true,
    ...asBegun(),
    change: () => listeners.forEach((listener) => listener()),
    serveWith(changes) {
      tls = { ...tls, ...changes }
      server.reloadTls()
    },
    attach: (identity) => world.agentClient(identity).attach({}),
    agentClient(identity) {
      const target = { address: server.address, credentials: channel(authority, identity) }
      const client = createClient(AgentService, target)
      clients.push(client)
      return client
    },
    operatorClient(identity) {
      const target = { address: server.address, credentials: channel(authority, identity) }
      const client = createClient(OperatorService, target)
      clients.push(client)
      return client
    },
    reset() {
      for (const client of clients.splice(0)) client.close()
      Object.assign(world, {
        enrolled: new Set([host.hostId]),
        revoked: new Set(),
        trustBundles: [],
        taken: [],
        attachments: [],
        leads: true,
        ...asBegun(),
      })
    },
    close: () => server.close(),
  }
  return world
}

function channel(authority: CertificateAuthority, identity: KeyAndCertificate | null): ChannelCredentials {
  const ca = Buffer.from(authority.certificatePem)
  if (identity === null) return credentials.createSsl(ca)
  return credentials.createSsl(ca, Buffer.from(identity.keyPem), Buffer.from(identity.certificatePem))
}

/** With a key of its own, certified by `by`. */
export async function newHost(by: CertificateAuthority, lifetimeMs: number): Promise<HostIdentity> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: algorithm })
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
  return { keyPem, ...(await by.issueHost(request.toString('pem'), lifetimeMs)) }
}

/** The status that the server ends the stream with. */
export function ended(stream: ClientDuplexStream<AttachRequest, AttachResponse>): Promise<ServiceError> {
  stream.on('data', () => undefined)
  return new Promise((resolve) => stream.on('error', (error) => resolve(error as ServiceError)))
}

export function message(sequence: number, body: NonNullable<MessageInit['message']>): AttachRequest {
  return create(AttachRequestSchema, { sequence: BigInt(sequence), message: body })
}
export const report = (sequence: number) =>
  message(sequence, { case: 'report', value: { phase: Phase.IDLE, bootId } })
export const heartbeat = (sequence: number) => message(sequence, { case: 'heartbeat', value: {} })
