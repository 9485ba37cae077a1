import 'reflect-metadata'
import { generateKeyPairSync } from 'node:crypto'
import { connect as connectTls } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { credentials, status } from '@grpc/grpc-js'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AgentService, AttachRequestSchema, Phase } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { AttachRequest, AttachResponse } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import { ControllerError } from '../errors.ts'
import { createAuthority, openAuthority } from '../pki/certificate-authority.ts'
import type { CertificateAuthority, KeyAndCertificate } from '../pki/certificate-authority.ts'
import type { HostReport } from '../rollout/types.ts'
import { createAgentService } from './agent-service.ts'
import type { AgentBackend } from './agent-service.ts'
import { createOperatorService } from './operator-service.ts'
import type { OperatorBackend } from './operator-service.ts'
import { startGrpcServer } from './server.ts'
import type { GrpcServer } from './server.ts'

const logger = pino({ level: 'silent' })
const bootId = '6d1c'

type MessageInit = Exclude<MessageInitShape<typeof AttachRequestSchema>, AttachRequest>
type Taken = {
  readonly report: HostReport
  readonly store: () => void
  readonly refuse: (error: Error) => void
}

let authority: CertificateAuthority
let server: GrpcServer
let host: KeyAndCertificate & { readonly hostId: string }
let operator: KeyAndCertificate
let enrolled: Set<string>
let taken: Taken[]
let attachments: { detached: boolean }[]
let leads: boolean
const clients: { close(): void }[] = []

beforeAll(async () => {
  authority = await openAuthority(await createAuthority())
  operator = await authority.issueOperator('kim')
  host = await newHost(authority, 60_000)
  server = await startGrpcServer({
    listen: '127.0.0.1:0',
    tls: {
      certificateAuthorityPem: authority.certificatePem,
      ...(await authority.issueServer({ dns: [], ip: [] })),
    },
    agentService: createAgentService(agentBackend, logger),
    operatorService: createOperatorService(operatorBackend, logger),
  })
})
afterAll(() => server.close())
beforeEach(() => {
  enrolled = new Set([host.hostId])
  taken = []
  attachments = []
  leads = true
})
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

const agentBackend: AgentBackend = {
  isEnrolled(hostId) {
    if (!leads) throw new ControllerError('NotLeader', 'another leads')
    return enrolled.has(hostId)
  },
  attach: () => {
    const attachment = { detached: false }
    attachments.push(attachment)
    return {
      report: (report) => new Promise((store, refuse) => taken.push({ report, store, refuse })),
      progress: () => undefined,
      seen: () => undefined,
      detach: () => {
        attachment.detached = true
      },
    }
  },
}

const operatorBackend: OperatorBackend = {
  snapshot() {
    throw new ControllerError('NotLeader', 'another leads')
  },
  sync: () => Promise.reject(new Error('/secret/path')),
  control: () => Promise.reject(new ControllerError('NotFound', 'no such fleet')),
  enrol: ({ name }) => Promise.resolve({ hostId: name, certificatePem: '', certificateAuthorityPem: '' }),
  listen: () => null,
}

async function newHost(
  by: CertificateAuthority,
  lifetimeMs: number,
): Promise<KeyAndCertificate & { readonly hostId: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: algorithm })
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
  return { keyPem, ...(await by.issueHost(request.toString('pem'), lifetimeMs)) }
}

function tls(identity: KeyAndCertificate) {
  const ca = Buffer.from(authority.certificatePem)
  return credentials.createSsl(ca, Buffer.from(identity.keyPem), Buffer.from(identity.certificatePem))
}

function attach(identity: KeyAndCertificate): ClientDuplexStream<AttachRequest, AttachResponse> {
  const client = createClient(AgentService, { address: server.address, credentials: tls(identity) })
  clients.push(client)
  return client.attach({})
}

function operatorClient(identity: KeyAndCertificate) {
  const client = createClient(OperatorService, { address: server.address, credentials: tls(identity) })
  clients.push(client)
  return client
}

function syncCode(identity: KeyAndCertificate): Promise<ServiceError | null> {
  const deadline = Date.now() + 3_000
  return new Promise((resolve) =>
    operatorClient(identity).sync(create(OperatorService.method.sync.input), { deadline }, resolve),
  )
}

function ended(stream: ClientDuplexStream<AttachRequest, AttachResponse>): Promise<ServiceError> {
  stream.on('data', () => undefined)
  return new Promise((resolve) => stream.on('error', (error) => resolve(error as ServiceError)))
}

function message(sequence: number, body: NonNullable<MessageInit['message']>): AttachRequest {
  return create(AttachRequestSchema, { sequence: BigInt(sequence), message: body })
}
const report = (sequence: number) =>
  message(sequence, { case: 'report', value: { phase: Phase.IDLE, bootId } })
const heartbeat = (sequence: number) => message(sequence, { case: 'heartbeat', value: {} })

async function eventually(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 5_000, interval: 5 }).toBe(true)
}

describe('who may call', () => {
  it('is nobody without a certificate', async () => {
    const client = createClient(OperatorService, {
      address: server.address,
      credentials: credentials.createSsl(Buffer.from(authority.certificatePem)),
    })
    clients.push(client)
    const error = await new Promise<ServiceError | null>((resolve) =>
      client.getStatus(
        create(OperatorService.method.getStatus.input),
        { deadline: Date.now() + 3_000 },
        resolve,
      ),
    )
    expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain(error?.code)
  })

  it('is nobody with a certificate of another authority', async () => {
    const foreign = await (await openAuthority(await createAuthority())).issueOperator('kim')
    expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain((await syncCode(foreign))?.code)
  })

  it('is no host at the operator service, and no operator at the agent service', async () => {
    expect((await syncCode(host))?.code).toBe(status.PERMISSION_DENIED)
    expect((await ended(attach(operator))).code).toBe(status.PERMISSION_DENIED)
  })

  it('is no host that is not enrolled', async () => {
    enrolled.clear()
    expect((await ended(attach(host))).code).toBe(status.PERMISSION_DENIED)
  })

  it('ends on an open stream when the certificate expires', async () => {
    const brief = await newHost(authority, 2_000)
    enrolled.add(brief.hostId)
    const stream = attach(brief)
    const end = ended(stream)
    stream.write(heartbeat(1))
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    stream.write(heartbeat(2))
    expect((await end).code).toBe(status.UNAUTHENTICATED)
    expect(attachments).toEqual([{ detached: true }])
  })

  it('speaks TLS 1.3 and nothing older', async () => {
    const [address = '', port] = server.address.split(':')
    const { keyPem: key, certificatePem: cert } = operator
    const attempt = new Promise((resolve, reject) => {
      const socket = connectTls(
        {
          host: address,
          port: Number(port),
          ca: authority.certificatePem,
          key,
          cert,
          maxVersion: 'TLSv1.2',
          checkServerIdentity: () => undefined,
        },
        () => resolve(socket.getProtocol()),
      )
      socket.on('error', reject)
    })
    await expect(attempt).rejects.toThrow(/protocol version/)
  })
})

describe('a host stream', () => {
  it('acknowledges a report only after it is stored, and nothing past it', async () => {
    const stream = attach(host)
    const acknowledged: number[] = []
    stream.on('data', ({ acknowledgedThrough }: AttachResponse) =>
      acknowledged.push(Number(acknowledgedThrough)),
    )
    stream.on('error', () => undefined)
    stream.write(heartbeat(1))
    stream.write(report(2))
    stream.write(heartbeat(3))
    await eventually(() => taken.length === 1 && acknowledged.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(acknowledged).toEqual([1])
    expect(taken[0]?.report).toMatchObject({ phase: 'Idle', bootId, bootedDigest: null, plan: null })
    taken[0]?.store()
    await eventually(() => acknowledged.at(-1) === 3)
  })

  it('is replaced by a newer one of the same host', async () => {
    const first = attach(host)
    const end = ended(first)
    first.write(report(1))
    await eventually(() => taken.length === 1)
    const second = attach(host)
    second.on('error', () => undefined)
    second.write(report(1))
    expect((await end).code).toBe(status.ABORTED)
    await eventually(() => taken.length === 2)
    expect(attachments).toEqual([{ detached: true }, { detached: false }])
  })

  it('ends when a report cannot be stored, so that the host sends it again', async () => {
    const stream = attach(host)
    const end = ended(stream)
    stream.write(report(1))
    await eventually(() => taken.length === 1)
    taken[0]?.refuse(new ControllerError('LeaseLost', 'another leads'))
    expect((await end).code).toBe(status.UNAVAILABLE)
  })

  it.each([
    ['a sequence that skips', heartbeat(2), status.INVALID_ARGUMENT],
    [
      'a digest that is none',
      message(1, { case: 'report', value: { phase: Phase.IDLE, bootedDigest: 'x' } }),
      status.INVALID_ARGUMENT,
    ],
    ['a report without a phase', message(1, { case: 'report', value: { bootId } }), status.INVALID_ARGUMENT],
    [
      'a message above 64 KiB',
      message(1, { case: 'report', value: { phase: Phase.IDLE, bootId: 'x'.repeat(70_000) } }),
      status.RESOURCE_EXHAUSTED,
    ],
  ])('refuses %s', async (_name, wrong, code) => {
    const stream = attach(host)
    const end = ended(stream)
    stream.write(wrong)
    expect((await end).code).toBe(code)
    expect(taken).toEqual([])
  })

  it('bounds how many messages a host may send', async () => {
    const stream = attach(host)
    const end = ended(stream)
    for (let sequence = 1; sequence <= 400; sequence += 1) stream.write(heartbeat(sequence))
    expect((await end).code).toBe(status.RESOURCE_EXHAUSTED)
  })

  it('is refused by a controller that stands by', async () => {
    leads = false
    expect((await ended(attach(host))).code).toBe(status.UNAVAILABLE)
  })
})

describe('an operator', () => {
  const deadline = () => ({ deadline: Date.now() + 3_000 })

  it('is told that a controller stands by', async () => {
    const error = await new Promise<ServiceError | null>((resolve) =>
      operatorClient(operator).getStatus(create(OperatorService.method.getStatus.input), deadline(), resolve),
    )
    expect(error?.code).toBe(status.UNAVAILABLE)
  })

  it('is told nothing about a defect but that there is one', async () => {
    const error = await syncCode(operator)
    expect(error?.code).toBe(status.INTERNAL)
    expect(error?.details).not.toContain('secret')
  })

  it('gets the reason of a refusal', async () => {
    const request = create(OperatorService.method.pauseRollout.input, { target: 'none' })
    const error = await new Promise<ServiceError | null>((resolve) =>
      operatorClient(operator).pauseRollout(request, deadline(), resolve),
    )
    expect([error?.code, error?.details]).toEqual([status.NOT_FOUND, 'no such fleet'])
  })

  it('cannot enrol a host under a name that is none', async () => {
    const certificateRequestPem = generateKeyPairSync('ed25519')
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString()
    const request = create(OperatorService.method.enrolHost.input, { certificateRequestPem, name: '../etc' })
    const error = await new Promise<ServiceError | null>((resolve) =>
      operatorClient(operator).enrolHost(request, deadline(), resolve),
    )
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
  })

  it('is refused a watch beyond the bound', async () => {
    const stream = operatorClient(operator).watchStatus(create(OperatorService.method.watchStatus.input), {})
    stream.on('data', () => undefined)
    const error = await new Promise<ServiceError>((resolve) =>
      stream.on('error', (e) => resolve(e as ServiceError)),
    )
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED)
  })
})
