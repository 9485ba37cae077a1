import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { status as grpcStatus } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { GetStatusRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { startController } from '../support/controller.ts'
import type { Controller } from '../support/controller.ts'
import { edgeOf, openSmallFleet, runs, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

let world: SmallFleet

beforeEach(async () => {
  world = await openSmallFleet({ pollInterval: '1s' })
})
afterEach(() => world.stop())

/** One address in front of two controllers: the first that takes connections gets them. */
async function startProxy(ports: readonly number[]): Promise<{ server: Server; address: string }> {
  const server = createServer((client) => {
    const forward = ([port, ...others]: readonly number[]): void => {
      if (port === undefined) return void client.destroy()
      const upstream = connectTcp(port, '127.0.0.1')
      upstream.once('connect', () => client.pipe(upstream).pipe(client))
      upstream.once('error', () => (upstream.bytesWritten === 0 ? forward(others) : client.destroy()))
      upstream.once('close', () => upstream.bytesWritten > 0 && client.destroy())
      client.once('close', () => upstream.destroy())
    }
    client.on('error', () => undefined)
    forward(ports)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const portOf = ({ address }: Controller): number => Number(address.split(':')[1])

function askOnce({ operator }: Controller): Promise<ServiceError | null> {
  return new Promise((resolve) => {
    operator.getStatus(create(GetStatusRequestSchema), { deadline: Date.now() + 60_000 }, resolve)
  })
}

test('a second controller stands by, takes over after kill -9 of the first, and exceeds no cap', async () => {
  const [first, second] = [
    await world.registry.pushEmptyImage('os/edge', '1.0.0'),
    await world.registry.pushEmptyImage('os/edge', '2.0.0'),
  ]
  await untilStatus(world.controller, ({ term }) => term === 1n)
  const dir = join(world.dir, 'second')
  await mkdir(dir)
  const standby = await startController({
    dir,
    gitUrl: world.git.url,
    nats: world.nats,
    plainHttpHosts: [world.registry.address],
  })
  const proxy = await startProxy([portOf(world.controller), portOf(standby)])
  try {
    const hosts = await world.startHosts(5, first, { ...world.controller, address: proxy.address })
    world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${first}`) }, 'Run 1.0.0')
    await untilStatus(world.controller, (now) => runs(first)(now) && edgeOf(now)?.hostsTotal === 5)
    await expect
      .poll(async () => (await askOnce(standby))?.details, { timeout: 60_000 })
      .toContain('stands by')
    expect(await askOnce(standby)).toMatchObject({ code: grpcStatus.UNAVAILABLE })

    world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${second}`) }, 'Run 2.0.0')
    await untilStatus(world.controller, (now) => (edgeOf(now)?.hostsUpdated ?? 0) > 0)
    await world.controller.kill9()
    const killedAtMs = performance.now()
    await untilStatus(standby, ({ term }) => term === 2n)
    expect(performance.now() - killedAtMs).toBeLessThan(60_000)
    await untilStatus(standby, (now) => runs(second)(now) && edgeOf(now)?.hostsTotal === 5)
    expect(hosts.unavailableMax()).toBe(1)
  } finally {
    proxy.server.close()
    standby.operator.close()
    await standby.stop()
  }
})
