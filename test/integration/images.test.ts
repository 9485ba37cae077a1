import { afterEach, beforeEach, expect, test } from 'vitest'
import { operatorOf } from '../support/operator-context.ts'
import { edgeOf, openSmallFleet, runs, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

let world: SmallFleet
let bootfleet: Awaited<ReturnType<typeof operatorOf>>

beforeEach(async () => {
  world = await openSmallFleet({ pollInterval: '1s' })
  bootfleet = await operatorOf(world)
})
afterEach(() => world.stop())

const patiently = { timeout: 120_000, interval: 1_000 }

test('after an update it is known who runs what, what it is built on, and who could go back, also after a restart', async () => {
  const base = `sha256:${'b'.repeat(64)}`
  const first = await world.registry.pushEmptyImage('os/edge', '1.0.0')
  const second = await world.registry.pushEmptyImage('os/edge', '2.0.0', base)
  await world.startHosts(3, first)
  for (const digest of [first, second]) {
    world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`) }, `Run ${digest}`)
    await untilStatus(world.controller, (now) => runs(digest)(now) && edgeOf(now)?.hostsTotal === 3)
  }

  const running = await bootfleet('hosts', '--running', '2.0.0')
  expect(running).toMatchObject({ status: 0, note: '3 hosts run it\n' })
  expect(running.out.trim().split('\n')).toHaveLength(4)
  const chosen = await bootfleet('hosts', '--running', '2.0.0', '-l', 'site=eu', '-o', 'name')
  expect(chosen.out.trim().split('\n')).toHaveLength(3)
  expect(await bootfleet('images', '-l', 'site!=eu', '-o', 'name')).toMatchObject({ status: 0, out: '' })
  const before = await bootfleet('hosts', '--running', first, '-o', 'name')
  expect(before).toMatchObject({
    out: '',
    note: expect.stringContaining('no hosts run it; 3 more hold it: 3 to go back to'),
  })

  // In the order in which they came to it, which is another one each time.
  const containing = async (): Promise<readonly string[]> => {
    const { out } = await bootfleet('hosts', '--containing', base, '-o', 'name')
    return out.trim().split('\n').toSorted()
  }
  const everyHost = ['host/host-000', 'host/host-001', 'host/host-002']
  await expect.poll(containing, patiently).toEqual(everyHost)
  await world.registry.stop()
  await world.controller.kill9()
  await world.controller.start()
  await expect.poll(containing, patiently).toEqual(everyHost)

  const { images } = JSON.parse((await bootfleet('images', '-o', 'json')).out) as {
    readonly images: readonly Readonly<Record<string, unknown>>[]
  }
  expect(images).toMatchObject([
    { digest: second, version: '2.0.0', hostsRunning: 3, baseDigests: [base], contentsKnown: true },
    { digest: first, hostsRunning: 0, hostsHolding: 3 },
  ])
  expect(await bootfleet('hosts', '--running', '9.9.9')).toMatchObject({
    status: 1,
    note: expect.stringContaining('"bootfleet images" lists them'),
  })
})
