import { status } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Phase } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { AttachResponse } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { bootId, ended, heartbeat, message, report, startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { ControllerError } from '../errors.ts'

let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
afterEach(() => world.reset())

async function eventually(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 90_000, interval: 5 }).toBe(true)
}

describe('a host stream', () => {
  it('acknowledges a report only after it is stored, and nothing past it', async () => {
    const stream = world.attach(world.host)
    const acknowledged: number[] = []
    stream.on('data', ({ acknowledgedThrough }: AttachResponse) =>
      acknowledged.push(Number(acknowledgedThrough)),
    )
    stream.on('error', () => undefined)
    stream.write(heartbeat(1))
    stream.write(report(2))
    stream.write(heartbeat(3))
    await eventually(() => world.taken.length === 1 && acknowledged.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(acknowledged).toEqual([1])
    expect(world.taken[0]?.report).toMatchObject({ phase: 'Idle', bootId, bootedDigest: null, plan: null })
    world.taken[0]?.store()
    await eventually(() => acknowledged.at(-1) === 3)
  })

  it('is replaced by a newer one of the same host', async () => {
    const first = world.attach(world.host)
    const end = ended(first)
    first.write(report(1))
    await eventually(() => world.taken.length === 1)
    const second = world.attach(world.host)
    second.on('error', () => undefined)
    second.write(report(1))
    expect((await end).code).toBe(status.ABORTED)
    await eventually(() => world.taken.length === 2)
    expect(world.attachments).toEqual([{ detached: true }, { detached: false }])
  })

  it('ends when a report cannot be stored, so that the host sends it again', async () => {
    const stream = world.attach(world.host)
    const end = ended(stream)
    stream.write(report(1))
    await eventually(() => world.taken.length === 1)
    world.taken[0]?.refuse(new ControllerError('LeaseLost', 'another leads'))
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
    const stream = world.attach(world.host)
    const end = ended(stream)
    stream.write(wrong)
    expect((await end).code).toBe(code)
    expect(world.taken).toEqual([])
  })

  it('bounds how many messages a host may send', async () => {
    const stream = world.attach(world.host)
    const end = ended(stream)
    for (let sequence = 1; sequence <= 400; sequence += 1) stream.write(heartbeat(sequence))
    expect((await end).code).toBe(status.RESOURCE_EXHAUSTED)
  })

  it('carries down the trust bundles that the host lacks, each once, and none to an agent that takes none', async () => {
    world.trustBundles = [Buffer.from('one'), Buffer.from('two')]
    const stream = world.attach(world.host)
    const got: string[] = []
    stream.on('data', ({ trustBundle }: AttachResponse) => {
      if (trustBundle.length > 0) got.push(Buffer.from(trustBundle).toString())
    })
    stream.on('error', () => undefined)
    stream.write(heartbeat(1))
    stream.write({ ...heartbeat(2), trustBundle: 1 })
    await eventually(() => got.length === 1)
    world.trustBundles.push(Buffer.from('three'))
    stream.write({ ...heartbeat(3), trustBundle: 1 })
    await eventually(() => got.length === 2)
    expect(got).toEqual(['two', 'three'])
  })

  it('is refused by a controller that stands by', async () => {
    world.leads = false
    expect((await ended(world.attach(world.host))).code).toBe(status.UNAVAILABLE)
  })
})
