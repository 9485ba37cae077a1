import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status, WatchStatusResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'

let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
beforeEach(() => {
  world.reset()
  world.snapshot = snapshotOfFleets(['edge', 'shop'])
  world.bindings = [{ who: ['kim'], role: 'view', fleets: ['edge'] }]
})

const soon = () => ({ deadline: Date.now() + 60_000 })

/** The answer as text: what is not in it cannot be seen. */
function answered(
  send: (done: (error: ServiceError | null, response?: unknown) => void) => unknown,
): Promise<string> {
  return new Promise((resolve, reject) => {
    send((error, response) => (error === null ? resolve(asText(response)) : reject(error)))
  })
}
const asText = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))

test('status, hosts and rollouts are those of fleets that one may see', async () => {
  const client = world.operatorClient(world.operator)
  const { method } = OperatorService
  const all = [
    await answered((done) => client.getStatus(create(method.getStatus.input), soon(), done)),
    await answered((done) => client.listHosts(create(method.listHosts.input), soon(), done)),
    await answered((done) => client.listRollouts(create(method.listRollouts.input), soon(), done)),
  ]
  for (const text of all) {
    expect(text).toContain('edge')
    expect(text).not.toContain('shop')
    expect(text).not.toContain('stray')
    expect(text).not.toContain('secret')
  }
})

test('who may see every fleet sees hosts without one too, and why a commit is refused', async () => {
  world.bindings = [{ who: ['*'], role: 'view', fleets: ['*'] }]
  const client = world.operatorClient(world.operator)
  const { method } = OperatorService
  const hosts = await answered((done) => client.listHosts(create(method.listHosts.input), soon(), done))
  expect(hosts).toContain('stray')
  const now = await answered((done) => client.getStatus(create(method.getStatus.input), soon(), done))
  expect(now).toContain('shop.yaml:3:1: secret')
})

test('a watch shows what one may see, and ends when the role is taken away', async () => {
  const stream = world
    .operatorClient(world.operator)
    .watchStatus(create(OperatorService.method.watchStatus.input), {})
  const seen: Status[] = []
  stream.on('data', ({ status: now }: WatchStatusResponse) => now && seen.push(now))
  const ended = new Promise<ServiceError>((resolve) => stream.on('error', (e) => resolve(e as ServiceError)))
  await expect.poll(() => seen.length, { timeout: 60_000 }).toBe(1)
  expect(seen[0]?.fleets.map(({ name }) => name)).toEqual(['edge'])
  world.bindings = []
  world.change()
  expect((await ended).code).toBe(status.PERMISSION_DENIED)
})
