import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { operatorOf } from '../support/operator-context.ts'
import { edgeOf, openSmallFleet, runs, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

/** An agent looks at what boots next once a minute. */
const patiently = { timeout: 240_000, interval: 1_000 }

type MachineFile = {
  readonly deployments: readonly { readonly deploymentId: string; readonly digest: string }[]
}

/** As `container-snap rollback` by a person, which an idle agent has no part in. */
async function rollBackByHand({ dir }: SmallFleet, host: string, digest: string): Promise<void> {
  const file = join(dir, host, 'machine.json')
  const machine = JSON.parse(await readFile(file, 'utf8')) as MachineFile
  const defaultId = machine.deployments.find((one) => one.digest === digest)?.deploymentId
  expect(defaultId).toBeDefined()
  const moved = { id: 'by-hand-1', user: 'kim', command: 'rollback', atMs: Date.now(), digest }
  await writeFile(`${file}.new`, JSON.stringify({ ...machine, defaultId, moved }))
  await rename(`${file}.new`, file)
}

test('a host that a person rolled back is left so while its fleet goes on, until resume host/X', async () => {
  const world = await openSmallFleet({ pollInterval: '1s' })
  onTestFinished(() => world.stop())
  const bootfleet = await operatorOf(world)
  const push = (version: string): Promise<string> => world.registry.pushEmptyImage('os/edge', version)
  const want = (digest: string): void =>
    void world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`) }, `Run ${digest}`)
  const [first, second, third] = [await push('1.0.0'), await push('2.0.0'), await push('3.0.0')]
  await world.startHosts(2, first)
  for (const digest of [first, second]) {
    want(digest)
    await untilStatus(world.controller, (now) => runs(digest)(now) && edgeOf(now)?.hostsTotal === 2)
  }

  await rollBackByHand(world, 'host-000', first)
  const shown = async (): Promise<unknown> =>
    JSON.parse((await bootfleet('get', 'hosts', '-o', 'json')).out || '[]')
  await expect.poll(shown, patiently).toMatchObject([
    { name: 'host-000', conditions: ['Drifted(local)'], defaultDigest: first, bootedDigest: second },
    { name: 'host-001', conditions: [] },
  ])
  const why = await bootfleet('why', 'host/host-000')
  expect(why.out).toMatch(/kim made it boot sha256:\S+ with container-snap rollback/)
  expect(why.out).toContain('bootfleet resume host/host-000')

  want(third)
  await untilStatus(world.controller, (now) => edgeOf(now)?.stableDigest === third)
  expect(await shown()).toMatchObject([
    { name: 'host-000', bootedDigest: second, conditions: ['Drifted(local)'] },
    { name: 'host-001', bootedDigest: third },
  ])

  const resumed = await bootfleet('resume', 'host/host-000', '--reason', 'the till works again')
  expect(resumed).toMatchObject({ status: 0, note: '' })
  expect(resumed.out).toContain('host host-000 follows its fleet again')
  await expect.poll(shown, patiently).toMatchObject([
    { name: 'host-000', bootedDigest: third, defaultDigest: third, conditions: [], phase: 'Succeeded' },
    { name: 'host-001', bootedDigest: third },
  ])
  const events = await bootfleet('events', '--for', 'host/host-000')
  expect(events.out).toMatch(/resume host .*the till works again/)
})
