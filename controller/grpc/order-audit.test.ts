import { create } from '@bufbuild/protobuf'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { ControllerError } from '../errors.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'

let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
beforeEach(() => {
  world.snapshot = snapshotOfFleets(['edge'])
})
afterEach(() => world.reset())

const soon = () => ({ deadline: Date.now() + 60_000 })
const { method } = OperatorService

async function halt(fleet: string): Promise<ServiceError | null> {
  const request = create(method.halt.input, { fleet, reason: 'smoke\nin rack 3' })
  return new Promise((resolve) => world.operatorClient(world.operator).halt(request, soon(), resolve))
}

test('an order is kept before it is carried out, and how it ended before it is answered', async () => {
  world.onOrder = () => {
    expect(world.facts.map(({ outcome }) => outcome)).toEqual(['Asked'])
    return Promise.resolve({ rolloutId: '', digest: '', message: 'fleet edge is halted', changed: true })
  }
  expect(await halt('edge')).toBeNull()
  const fact = {
    actor: 'operator/kim',
    event: 'Halt',
    fleet: 'edge',
    subject: 'fleet=edge',
    reason: 'smoke in rack 3',
  }
  expect(world.facts).toEqual([
    { ...fact, outcome: 'Asked' },
    { ...fact, outcome: 'Done', of: 1, message: 'fleet edge is halted' },
  ])
})

test('one that failed says why, and of a defect nothing', async () => {
  await halt('edge')
  expect(world.facts[1]).toMatchObject({ outcome: 'Failed', of: 1, message: 'no such fleet' })
  world.onOrder = () => Promise.reject(new Error('/secret/path'))
  await halt('edge')
  expect(JSON.stringify(world.facts)).not.toContain('secret')
})

test('one that is refused for the role is kept too, and a flood of them is counted', async () => {
  world.bindings = [{ who: ['kim'], role: 'view', fleets: ['*'] }]
  for (let times = 0; times < 25; times += 1) await halt('edge')
  expect(world.facts).toHaveLength(20)
  expect(world.facts[0]).toMatchObject({ outcome: 'Refused', actor: 'operator/kim', event: 'Halt' })
  expect(world.facts[0]?.message).toContain('needs role operate')
})

test('what cannot be kept is not carried out, but for the red button', async () => {
  const carriedOut: string[] = []
  world.onOrder = ({ kind }) => {
    carriedOut.push(kind)
    return Promise.resolve({ rolloutId: '', digest: '', message: '', changed: true })
  }
  world.auditFails = true
  const request = create(method.unhalt.input, { fleet: 'edge' })
  const error = await new Promise<ServiceError | null>((resolve) =>
    world.operatorClient(world.operator).unhalt(request, soon(), resolve),
  )
  expect(error?.details).toContain('disk full')
  expect(await halt('edge')).toBeNull()
  expect(carriedOut).toEqual(['halt'])
})

test('what was done is told as done, although the disk was full by then, and what failed says why it did', async () => {
  const unhalt = (): Promise<string> =>
    new Promise((resolve) =>
      world
        .operatorClient(world.operator)
        .unhalt(create(method.unhalt.input, { fleet: 'edge' }), soon(), (error, answer) =>
          resolve(error?.details ?? answer?.message ?? ''),
        ),
    )
  world.onOrder = () => {
    world.auditFails = true
    return Promise.resolve({ rolloutId: '', digest: '', message: 'fleet edge goes on', changed: true })
  }
  expect(await unhalt()).toBe(
    'fleet edge goes on; it is done, but that it was could not be kept in the audit log: disk full',
  )
  expect(world.facts.map(({ outcome }) => outcome)).toEqual(['Asked'])
  world.auditFails = false
  world.onOrder = () => {
    world.auditFails = true
    return Promise.reject(new ControllerError('NotFound', 'no such fleet'))
  }
  expect(await unhalt()).toBe('no such fleet')
})

test('a digest and a request are denied with a reason only', async () => {
  const client = world.operatorClient(world.operator)
  const refused = (ask: (done: (error: ServiceError | null) => void) => void): Promise<string> =>
    new Promise((resolve) => ask((error) => resolve(error?.details ?? '')))
  const blank = { fleet: 'edge', digest: 'sha256:1111', reason: ' \n' }
  for (const answer of [
    await refused((done) => client.denyDigest(create(method.denyDigest.input, blank), soon(), done)),
    await refused((done) => client.allowDigest(create(method.allowDigest.input, blank), soon(), done)),
    await refused((done) => client.denyJoin(create(method.denyJoin.input, { host: 'a' }), soon(), done)),
  ]) {
    expect(answer).toContain('says no reason')
  }
})

test('what is only read is not kept', async () => {
  const request = create(method.getStatus.input)
  await new Promise((resolve) => world.operatorClient(world.operator).getStatus(request, soon(), resolve))
  expect(world.facts).toEqual([])
})
