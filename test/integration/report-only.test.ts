import { spawn } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { operatorOf } from '../support/operator-context.ts'
import { letIn } from '../support/simulated-fleet.ts'
import { edgeOf, openSmallFleet, runs, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAMS = join(import.meta.dirname, '../../dist')
const patiently = { timeout: 120_000, interval: 1_000 }
const foreign = `sha256:${'d'.repeat(64)}`

const bootcStatus = JSON.stringify({
  apiVersion: 'org.containers.bootc/v1',
  kind: 'BootcHost',
  status: {
    booted: {
      image: {
        image: { image: 'quay.example/vendor/os:42', transport: 'registry' },
        version: '42.7',
        imageDigest: foreign,
      },
    },
  },
})

/** The real agent, on a machine whose bootc says that it runs somebody else's image. */
async function startReportOnly(world: SmallFleet, name: string): Promise<void> {
  const stateDir = join(world.dir, name)
  const programs = join(stateDir, 'programs')
  await mkdir(programs, { recursive: true })
  await writeFile(join(programs, 'bootc'), `#!/bin/sh\necho '${bootcStatus}'\n`)
  await chmod(join(programs, 'bootc'), 0o755)
  const config = join(stateDir, 'agent.yaml')
  const settings = {
    name,
    stateDir,
    controller: { address: world.controller.address },
    host: { driver: 'report-only' },
  }
  await writeFile(config, JSON.stringify(settings))
  const env = { ...process.env, PATH: `${programs}${delimiter}${process.env['PATH'] ?? ''}` }
  const child = spawn(join(PROGRAMS, 'bootfleet-agent'), ['run', '--config', config], {
    stdio: 'ignore',
    env,
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })
  await letIn(name, join(stateDir, 'identity'), world.controller)
}

test('a host that only reports is shown with what it runs, and is granted nothing while another one is updated', async () => {
  const world = await openSmallFleet({ pollInterval: '1s' })
  onTestFinished(() => world.stop())
  const bootfleet = await operatorOf(world)
  const first = await world.registry.pushEmptyImage('os/edge', '1.0.0')
  const second = await world.registry.pushEmptyImage('os/edge', '2.0.0')
  await startReportOnly(world, 'db-1')
  const shown = async (): Promise<unknown> => {
    const { out } = await bootfleet('get', 'hosts', '-o', 'json')
    return JSON.parse(out === '' ? '[]' : out)
  }
  await expect.poll(shown, patiently).toMatchObject([{ name: 'db-1', phase: 'ReportOnly', connected: true }])

  await world.startHosts(1, first)
  for (const digest of [first, second]) {
    world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`) }, `Run ${digest}`)
    const status = await untilStatus(
      world.controller,
      (now) => runs(digest)(now) && edgeOf(now)?.hostsTotal === 1,
    )
    expect(edgeOf(status)?.rollout?.waves.map(({ hostsTotal }) => hostsTotal)).toEqual([1, 0])
  }

  const found = await bootfleet('hosts', '--running', 'quay.example/vendor/os:42')
  expect(found).toMatchObject({ status: 0, note: expect.stringContaining('1 host runs it\n') })
  expect(found.out).toMatch(/^db-1 +edge +42\.7@dddddddddddd .*· ReportOnly +connected$/m)
  expect(await bootfleet('hosts', '--running', foreign, '-l', 'site=eu', '-o', 'name')).toMatchObject({
    out: 'host/db-1\n',
  })
  const described = await bootfleet('describe', 'host/db-1')
  expect(described.out).toContain('ReportOnly (only reports what it runs, and is never updated)')
  expect(described.out).toContain('quay.example/vendor/os:42')
  const etc = await bootfleet('describe', 'host/db-1', '--etc')
  expect(etc.out).toMatch(/^\/etc: +not known: the host only reports what it runs$/m)
  const why = await bootfleet('why', 'host/db-1')
  expect(why.out).toContain('its agent has the driver report-only, and is granted nothing')
  const images = await bootfleet('images')
  expect(images.out).toMatch(/^42\.7@dddddddddddd +quay\.example\/vendor\/os +1 +0 /m)
})
