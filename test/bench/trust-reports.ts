import { create } from '@bufbuild/protobuf'
import { Server, ServerCredentials, credentials } from '@grpc/grpc-js'
import type { ChannelCredentials, ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js'
import { digestOf } from '../../agent/testing/plans.ts'
import {
  AgentService,
  AttachRequestSchema,
  AttachResponseSchema,
  Phase,
} from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { AttachRequest, AttachResponse } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { createClient, toServiceDefinition } from '../../proto/grpc.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import { median } from './figures.ts'

const ROUNDS = 7
const PER_ROUND = 1_000

/** What one report costs that waits for its acknowledgement, in µs of wall clock: only how it travels differs. */
export async function measureReports(): Promise<{ readonly tlsUs: number; readonly plainUs: number }> {
  const authority = await openAuthority(await createAuthority())
  const server = await authority.issueServer({ dns: [], ip: [] })
  const host = await authority.issueOperator('bench')
  const ca = Buffer.from(authority.certificatePem)
  const pair = { private_key: Buffer.from(server.keyPem), cert_chain: Buffer.from(server.certificatePem) }
  const mutual = credentials.createSsl(ca, Buffer.from(host.keyPem), Buffer.from(host.certificatePem))
  const tls = await openLine(ServerCredentials.createSsl(ca, [pair], true), mutual)
  const plain = await openLine(ServerCredentials.createInsecure(), credentials.createInsecure())
  const times: { tls: number[]; plain: number[] } = { tls: [], plain: [] }
  for (let round = 0; round <= ROUNDS; round += 1) {
    const [secured, clear] = [await tls.perReportUs(), await plain.perReportUs()]
    // The first round opens the connections.
    if (round > 0) times.tls.push(secured)
    if (round > 0) times.plain.push(clear)
  }
  tls.close()
  plain.close()
  return { tlsUs: median(times.tls), plainUs: median(times.plain) }
}

/** Each message is acknowledged as it comes. */
function answer(call: ServerDuplexStream<AttachRequest, AttachResponse>): void {
  call.on('data', ({ sequence }: AttachRequest) => {
    call.write(create(AttachResponseSchema, { acknowledgedThrough: sequence }))
  })
  call.on('end', () => call.end())
  call.on('error', () => undefined)
}

function report(sequence: number): AttachRequest {
  const value = {
    phase: Phase.HEALTHY,
    bootedDigest: digestOf('a'),
    defaultDigest: digestOf('a'),
    bootId: 'one',
  }
  return create(AttachRequestSchema, { sequence: BigInt(sequence), message: { case: 'report', value } })
}

async function openLine(serverCredentials: ServerCredentials, channel: ChannelCredentials) {
  const server = new Server()
  const handlers = { attach: answer, renewCertificate: () => undefined }
  server.addService(toServiceDefinition(AgentService), handlers as unknown as UntypedServiceImplementation)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  const client = createClient(AgentService, { address: `localhost:${port}`, credentials: channel })
  const stream = client.attach({})
  const responses = stream[Symbol.asyncIterator]() as AsyncIterator<AttachResponse>
  return {
    async perReportUs() {
      const begunMs = performance.now()
      for (let sequence = 1; sequence <= PER_ROUND; sequence += 1) {
        stream.write(report(sequence))
        await responses.next()
      }
      return ((performance.now() - begunMs) * 1000) / PER_ROUND
    },
    close() {
      stream.on('error', () => undefined)
      stream.cancel()
      client.close()
      server.forceShutdown()
    },
  }
}
