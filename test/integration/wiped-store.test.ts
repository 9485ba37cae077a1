import { create } from '@bufbuild/protobuf'
import { jetstreamManager } from '@nats-io/jetstream'
import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { between, randomOf } from '../../cli/simulator/random.ts'
import { ListHostsRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { ListHostsResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { BUCKETS, bucketStream } from '../../proto/subjects.ts'
import { call } from '../support/controller.ts'
import { openAdmin } from '../support/nats-users.ts'
import type { SimulatedFleet } from '../support/simulated-fleet.ts'
import { edgeOf, openSmallFleet, runs, statusOf, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const HOSTS = 3
/** Pulled, deployed, activated, and blessed or left again. */
const STEPS_OF_HOST = 4
const waiting = { timeout: 150_000, interval: 20 }
let world: SmallFleet
let admin: NatsConnection
let streams: JetStreamManager['streams']
let hosts: SimulatedFleet

beforeAll(async () => {
  world = await openSmallFleet({ pollInterval: '1s' })
  admin = await openAdmin(world.nats)
  streams = (await jetstreamManager(admin)).streams
})
afterAll(async () => {
  await admin.close()
  await world.stop()
})

/** A person makes the streams again; hosts that are still enrolled need nobody. */
async function wipeAllButEnrolments(): Promise<void> {
  const names: string[] = []
  for await (const { config } of streams.list()) names.push(config.name)
  for (const name of names) if (name !== bucketStream(BUCKETS.enrolment)) await streams.delete(name)
  await world.nats.provision()
}

/** The server's disk is gone. A person makes the streams and enrols the hosts again. */
async function wipeDisk(): Promise<void> {
  await world.nats.wipe()
  await hosts.enrolAgain()
}

/** One after the other, each at a random moment of the next so many steps of the machines. */
async function wipeWithin(steps: number, seed: number, wipes: readonly (() => Promise<void>)[]) {
  const random = randomOf(seed, 'wipes')
  const before = hosts.steps()
  const moments = wipes.map(() => between(random, 1, steps)).toSorted((a, b) => a - b)
  for (const [index, wipe] of wipes.entries()) {
    await expect.poll(() => hosts.steps() - before, waiting).toBeGreaterThanOrEqual(moments[index] ?? 0)
    await wipe()
  }
}

function want(digest: string): void {
  world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`) }, `Run ${digest}`)
}

async function running(): Promise<readonly string[]> {
  const { operator } = world.controller
  const { hosts: found } = await call<ListHostsResponse>((done) =>
    operator.listHosts(create(ListHostsRequestSchema), { deadline: Date.now() + 60_000 }, done),
  )
  return found.map(({ bootedDigest }) => bootedDigest)
}

async function endOfFailure() {
  const fleet = edgeOf(await statusOf(world.controller))
  const denied = fleet?.denied.map(({ digest }) => digest).toSorted()
  return { stable: fleet?.stableDigest, denied }
}

test('twenty wipes of the store at random moments of rollouts end where none would', async () => {
  const push = (version: string): Promise<string> => world.registry.pushEmptyImage('os/edge', version)
  const first = await push('1.0.0')
  hosts = await world.startHosts(HOSTS, first)
  want(first)
  await untilStatus(world.controller, (now) => runs(first)(now) && edgeOf(now)?.hostsTotal === HOSTS)

  let last = first
  for (const seed of [1, 2, 3]) {
    last = await push(`${seed + 1}.0.0`)
    want(last)
    await wipeWithin(HOSTS * STEPS_OF_HOST, seed, Array(6).fill(wipeAllButEnrolments))
    const end = await untilStatus(world.controller, runs(last))
    expect(edgeOf(end)).toMatchObject({ hostsTotal: HOSTS, hostsHealthy: HOSTS, denied: [] })
    expect(await running()).toEqual(Array(HOSTS).fill(last))
    expect(hosts.unavailableMax()).toBe(1)
  }

  const refused: string[] = []
  for (const wipes of [[], [wipeAllButEnrolments, wipeDisk]]) {
    const bad = await push(`${9 + wipes.length}.0.0-broken`)
    want(bad)
    await wipeWithin(STEPS_OF_HOST, 4, wipes)
    refused.push(bad)
    await expect.poll(endOfFailure, waiting).toEqual({ stable: last, denied: refused.toSorted() })
    await expect.poll(running, waiting).toEqual(Array(HOSTS).fill(last))
  }
  expect(hosts.unavailableMax()).toBe(1)
}, 600_000)
