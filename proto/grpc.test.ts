import { create } from '@bufbuild/protobuf'
import { Server, ServerCredentials, credentials } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { AgentService, AttachRequestSchema, AttachResponseSchema } from './gen/bootfleet/v1/agent_pb.ts'
import {
  GetStatusRequestSchema,
  GetStatusResponseSchema,
  OperatorService,
} from './gen/bootfleet/v1/operator_pb.ts'
import type { GetStatusResponse } from './gen/bootfleet/v1/operator_pb.ts'
import { createClient, toServiceDefinition } from './grpc.ts'
import type { Handlers } from './grpc.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function listen(server: Server): Promise<string> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  closers.push(() => server.forceShutdown())
  return `127.0.0.1:${port}`
}

test('a stream carries messages both ways', async () => {
  const server = new Server()
  const handlers: Pick<Handlers<typeof AgentService>, 'attach'> = {
    attach: (call) => {
      call.on('data', (request) =>
        call.write(create(AttachResponseSchema, { acknowledgedThrough: request.sequence })),
      )
      call.on('end', () => call.end())
    },
  }
  server.addService(toServiceDefinition(AgentService), handlers)
  const client = createClient(AgentService, {
    address: await listen(server),
    credentials: credentials.createInsecure(),
  })
  closers.push(() => client.close())
  const stream = client.attach({ deadline: Date.now() + 60_000 })
  const acknowledged: bigint[] = []
  const ended = new Promise((resolve, reject) => {
    stream.on('data', (response) => acknowledged.push(response.acknowledgedThrough))
    stream.on('end', resolve)
    stream.on('error', reject)
  })
  for (const sequence of [1n, 2n, 3n]) {
    stream.write(create(AttachRequestSchema, { sequence, message: { case: 'heartbeat', value: {} } }))
  }
  stream.end()
  await ended
  expect(acknowledged).toEqual([1n, 2n, 3n])
})

test('a unary call returns the typed answer', async () => {
  const server = new Server()
  const {
    getStatus,
  }: Pick<Handlers<typeof OperatorService>, 'getStatus'> = {
    getStatus: (_call, done) => done(null, create(GetStatusResponseSchema, { status: { term: 4n } })),
  }
  server.addService(toServiceDefinition(OperatorService), { getStatus })
  const target = { address: await listen(server), credentials: credentials.createInsecure() }
  const client = createClient(OperatorService, target)
  closers.push(() => client.close())
  const response = await new Promise<GetStatusResponse | undefined>((resolve, reject) => {
    client.getStatus(create(GetStatusRequestSchema), { deadline: Date.now() + 60_000 }, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    )
  })
  expect(response?.status?.term).toBe(4n)
})
