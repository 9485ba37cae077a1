import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startDev } from '../support/dev.ts'
import type { RunningDev } from '../support/dev.ts'
import { notPrinted, openShell, stepsOf } from '../support/tour.ts'

const root = join(import.meta.dirname, '../..')
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
  expect(await waitFor()).toMatchObject({ status: 0, text: expect.stringContaining('Synced') })
  const hosts = (await dev.bootfleet('get', 'hosts', '--no-headers')).stdout.trim().split('\n')
  expect(hosts.map((line) => line.replace(/@.*?✔/, '@ ✔').split(/\s+/).slice(0, 3))).toEqual(
    dev.hosts.map((host) => [host, 'demo', '0.0.0@']),
  )
})

it('prints what the documents show of it until it is ready, and nothing that README does not', () => {
  const printed = dev.shown.map((line) => line.replaceAll(dev.stateDir, '/tmp/bootfleet'))
  const [readme = [], tour = []] = ['README.md', 'docs/tour.md'].map(
    (document) =>
      stepsOf(readFileSync(join(root, document), 'utf8')).find(
        ({ command }) => command === 'bootfleet dev --state /tmp/bootfleet',
      )?.shown,
  )
  expect([tour.length > 0, notPrinted(tour, printed)]).toEqual([true, []])
  expect([readme.at(-1), notPrinted(readme, printed)]).toEqual(['Ctrl-C stops everything.', []])
  expect(notPrinted(printed, readme)).toEqual([])
})

it('takes a newcomer through docs/tour.md from top to bottom', async () => {
  const [build, start, ...steps] = stepsOf(readFileSync(join(root, 'docs/tour.md'), 'utf8'))
  expect(build?.command).toMatch(/^make build/)
  // The one that runs is just that, but for its folder.
  expect(start?.command).toBe('bootfleet dev --state /tmp/bootfleet')
  const shell = openShell(dev.shell)
  try {
    for (const { command, line, shown, status } of steps) {
      const answer = await shell.type(command.replaceAll('/tmp/bootfleet', dev.stateDir))
      const missing = notPrinted(shown, answer.lines)
      const printed = missing.length === 0 && answer.status === status ? [] : answer.lines
      expect({ line, status: answer.status, missing, printed }).toEqual({
        line,
        status,
        missing: [],
        printed: [],
      })
    }
  } finally {
    await shell.close()
  }
  const named = /digest: (\S+)/.exec(await dev.read(fleetPath))?.[1]
  expect(await dev.runningDigests()).toEqual(dev.hosts.map(() => named))
})

it('lets a host join that has a token and nothing else of this fleet', async () => {
  const [dir, token] = [join(dev.stateDir, 'till-1'), join(dev.stateDir, 'till-1.token')]
  const made = await dev.bootfleet('enrol', 'token', 'create', '--auto-approve', '--file', token)
  expect(made).toMatchObject({ status: 0 })
  const neighbour = readFileSync(join(dev.stateDir, 'hosts/host-1/agent.yaml'), 'utf8')
  const peers = parse(neighbour) as { readonly controller: unknown; readonly nats: unknown }
  const host = { driver: 'simulated', image: { digest: `sha256:${'a'.repeat(64)}`, version: '1.0.0' } }
  const config = join(dev.stateDir, 'till-1.json')
  const { controller, nats } = peers
  writeFileSync(config, JSON.stringify({ name: 'till-1', stateDir: dir, controller, nats, host }))
  const server = readFileSync(join(dev.stateDir, 'controller/join-address'), 'utf8').trim()
  const program = join(root, 'dist/bootfleet-agent')
  const words = ['enrol', '--token-file', token, '--server', server, '--config', config, '--wait', '2m']
  execFileSync(program, words, { encoding: 'utf8' })
  const { stdout } = await dev.bootfleet('get', 'hosts', '--no-headers')
  expect(stdout).toMatch(/^till-1 /m)
  expect(await dev.bootfleet('revoke', 'host/till-1', '--reason', 'it was a try')).toMatchObject({
    status: 0,
  })
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

it('grants an image that was pushed by hand to nobody, as nobody signed it', async () => {
  const before = await dev.runningDigests()
  const text = await dev.read(fleetPath)
  const repository = /repository: (\S+)/.exec(text)?.[1] ?? ''
  const unsigned = await pushByHand(repository, before[0] ?? '')
  await dev.commit({ [fleetPath]: text.replace(/digest: .*/, `digest: ${unsigned}`) })
  await dev.bootfleet('sync')
  const said = async (): Promise<string> => (await dev.bootfleet('status')).stdout
  const sentence = `${repository}@${unsigned}: the trust bundle asks for a signature by release key`
  await expect.poll(said, { timeout: 120_000 }).toContain(sentence)
  expect(await dev.runningDigests()).toEqual(before)
  await dev.commit({ [fleetPath]: text })
})

/** The same image under another digest, as anybody makes it who may push. */
async function pushByHand(repository: string, digest: string): Promise<string> {
  const [registry = '', path = ''] = repository.split(/\/(.*)/s)
  const base = `http://${registry}/v2/${path}/manifests`
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = (await (await fetch(`${base}/${digest}`, { headers: { accept: type } })).json()) as object
  const body = JSON.stringify({ ...manifest, annotations: { by: 'hand' } })
  const pushed = await fetch(`${base}/by-hand`, { method: 'PUT', headers: { 'content-type': type }, body })
  if (!pushed.ok) throw new Error(`pushing by hand: ${pushed.status} ${await pushed.text()}`)
  return `sha256:${createHash('sha256').update(body).digest('hex')}`
}

// Each version is newer than the one before, since a fleet goes to no older one.
it.each([
  ['controller', '3.1.0'],
  ['nats', '3.2.0'],
  ['host-1', '3.3.0'],
  ['host-3', '3.4.0'],
])('comes to the right end when %s is killed in mid-rollout', async (service, version) => {
  const image = await dev.image(version)
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
})

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
