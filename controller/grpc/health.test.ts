import { makeClientConstructor, status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js'
import { expect, it } from 'vitest'
import { createHealth } from './health.ts'

const identity = (bytes: Buffer): Buffer => bytes
const Client = makeClientConstructor(
  {
    check: {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  },
  'Health',
)

it('answers the standard check in its wire format: 2 standing by, 1 leading, NOT_FOUND for a named service', async () => {
  const server = new Server()
  const health = createHealth()
  health.addTo(server)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  const check = (request: Buffer): Promise<Buffer | number | undefined> =>
    new Promise((resolve) => {
      const done = (error: ServiceError | null, answer?: Buffer): void => resolve(error?.code ?? answer)
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', identity, identity, request, done)
    })
  try {
    expect(await check(Buffer.alloc(0))).toEqual(Buffer.from([0x08, 2]))
    health.setServing(true)
    expect(await check(Buffer.alloc(0))).toEqual(Buffer.from([0x08, 1]))
    expect(await check(Buffer.from([0x0a, 1, 0x78]))).toBe(status.NOT_FOUND)
  } finally {
    client.close()
    server.forceShutdown()
  }
})
