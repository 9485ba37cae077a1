import { status } from '@grpc/grpc-js'
import type { Client, ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'

let world: GrpcWorld
beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(async () => {
  world.reset()
  await world.close()
})

const asTheyAre = (bytes: Buffer): Buffer => bytes

/** On the wire each of the four kinds of calls begins like this one. */
function codeOf(client: Client, path: string): Promise<number | undefined> {
  const deadline = Date.now() + 60_000
  const call = client.makeBidiStreamRequest(path, asTheyAre, asTheyAre, { deadline })
  call.on('data', () => undefined)
  return new Promise((resolve) => {
    call.on('error', (error: ServiceError) => resolve(error.code))
    // It asks a reflection service for its list: field 7, an empty text.
    call.end(Buffer.from([0x3a, 0]))
  })
}

it.each([
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
  '/grpc.channelz.v1.Channelz/GetServers',
  '/grpc.health.v1.Health/List',
  '/bootfleet.v1.OperatorService/Exec',
  '/bootfleet.v1.NoService/GetStatus',
])('serves nobody %s', async (path) => {
  const clients = [
    world.operatorClient(world.operator),
    world.agentClient(world.host),
    world.operatorClient(null),
  ]
  expect(await Promise.all(clients.map((client) => codeOf(client, path)))).toEqual([
    status.UNIMPLEMENTED,
    status.UNIMPLEMENTED,
    status.UNAVAILABLE,
  ])
})
