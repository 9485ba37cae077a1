import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDev } from '../support/dev.ts'
import type { RunningDev } from '../support/dev.ts'

const fleetPath = 'fleets/demo.yaml'
let dev: RunningDev

beforeAll(async () => {
  dev = await startDev(3)
})

afterAll(async () => {
  await dev.stop()
})

async function commitDigest(image: string): Promise<string> {
  const text = await dev.read(fleetPath)
  return dev.commit({ [fleetPath]: text.replace(/digest: .*/, `digest: ${digestOf(image)}`) })
}

function digestOf(image: string): string {
  return image.split('@')[1] ?? ''
}

async function waitFor(...args: string[]): Promise<{ status: number | null; text: string }> {
  const { status, stdout, stderr } = await dev.bootfleet('status', '--wait', '--timeout', '120s', ...args)
  return { status, text: `${stderr}${stdout}` }
}

it('starts with every host on the first deployment, through the ordinary path', async () => {
  expect(await waitFor()).toMatchObject({ status: 0 })
  const hosts = (await dev.bootfleet('get', 'hosts', '--no-headers')).stdout.trim().split('\n')
  expect(hosts.map((line) => line.replace(/@.*?✔/, '@ ✔').split(/\s+/).slice(0, 3))).toEqual(
    dev.hosts.map((host) => [host, 'demo', '0.0.0@']),
  )
})

it('brings every host to a committed digest and ends 0', async () => {
  const image = await dev.image('1.0.0')
  await commitDigest(image)
  const { status, text } = await waitFor('--revision', 'HEAD')
  expect(text).toContain('demo Synced 3/3 updated')
  expect(status).toBe(0)
  expect(await dev.runningDigests()).toEqual(dev.hosts.map(() => digestOf(image)))
  for (const host of dev.hosts) {
    const release = readFileSync(join(dev.stateDir, 'hosts', host, 'sysroot/usr/lib/os-release'), 'utf8')
    expect(release).toContain('VERSION_ID=1.0.0\n')
  }
})

it('takes a broken image back, ends 3, and names the check and the denied digest', async () => {
  const before = await dev.runningDigests()
  const image = await dev.image('2.0.0', '--broken')
  const commit = await commitDigest(image)
  expect(await waitFor('--revision', commit)).toMatchObject({ status: 3 })
  expect(await dev.runningDigests()).toEqual(before)
  const { stdout } = await dev.bootfleet('status')
  expect(stdout).toContain('web-up')
  expect(stdout).toContain(digestOf(image))
})

it('refuses a commit that is not valid, says where, and moves nothing', async () => {
  const before = await dev.runningDigests()
  const text = await dev.read(fleetPath)
  await dev.commit({ [fleetPath]: text.replace('  selector:', '  selektor:') })
  const { status, text: said } = await waitFor()
  expect(status).toBe(1)
  expect(said).toMatch(/fleets\/demo\.yaml:\d+:\d+: .*selektor/)
  const { stdout } = await dev.bootfleet('status')
  expect(stdout).toMatch(/✖ commit [0-9a-f]{7} is rejected; the last good commit [0-9a-f]{7} stays in force/)
  expect(stdout).toMatch(/^ {2}> +\d+ \|/m)
  expect(await dev.runningDigests()).toEqual(before)
  await dev.commit({ [fleetPath]: text })
})

it.each(['controller', 'nats', 'host-1', 'host-3'])(
  'comes to the right end when %s is killed in mid-rollout',
  async (service) => {
    const image = await dev.image(`3.0.0-${service}`)
    await commitDigest(image)
    const waiting = waitFor('--revision', 'HEAD')
    for (const pauseMs of [700, 1_500, 1_500]) {
      await sleep(pauseMs)
      await dev.kill9(service)
    }
    const { status, text } = await waiting
    expect(text).toContain('demo Synced 3/3 updated')
    expect(status).toBe(0)
    expect(await dev.runningDigests()).toEqual(dev.hosts.map(() => digestOf(image)))
  },
)

it('leaves no mount, no loop device and no process when it is stopped', async () => {
  const { stateDir } = dev
  expect(await dev.stop()).toBe(0)
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(stateDir)
  const loops = execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], {
    encoding: 'utf8',
  })
  expect(loops).not.toContain(stateDir)
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(stateDir)
})
