import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseJoinToken } from '../../proto/join-token.ts'
import { operatorContext } from '../support/operator-context.ts'
import { openSmallFleet, statusOf } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAMS = join(import.meta.dirname, '../../dist')
const waiting = { timeout: 90_000, interval: 200 }

type Run = { readonly status: number; readonly out: string; readonly note: string }
type Join = { readonly fingerprint: string; readonly state: string; readonly message: string }
type World = {
  readonly fleet: SmallFleet
  readonly dir: string
  readonly server: string
  readonly bootfleet: (...args: readonly string[]) => Promise<Run>
}

async function openWorld(): Promise<World> {
  const fleet = await openSmallFleet({ settings: { join: { listen: '127.0.0.1:0' } } })
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-joining-'))
  onTestFinished(async () => {
    await fleet.stop()
    await rm(dir, { recursive: true, force: true })
  })
  const context = await operatorContext(fleet)
  const joinAddress = (): Promise<string> =>
    readFile(join(fleet.dir, 'controller/join-address'), 'utf8').catch(() => '')
  await expect.poll(joinAddress, waiting).toContain(':')
  const server = (await joinAddress()).trim()
  await statusOf(fleet.controller)
  const bootfleet = (...args: readonly string[]): Promise<Run> =>
    program('bootfleet', ['--context', context, ...args])
  return { fleet, dir, server, bootfleet }
}

function program(name: string, args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(join(PROGRAMS, name), args, { timeout: 180_000 }, (error, out, note) =>
      resolve({ status: error === null ? 0 : Number(error.code), out, note }),
    )
  })
}

async function writeConfig({ fleet, dir }: World, name: string): Promise<string> {
  const path = join(dir, `${name}.yaml`)
  await mkdir(join(dir, name))
  const settings = {
    name,
    stateDir: join(dir, name),
    controller: { address: fleet.controller.address },
    nats: { url: fleet.nats.url },
    host: { driver: 'simulated', image: { digest: `sha256:${'a'.repeat(64)}`, version: '1.0.0' } },
  }
  await writeFile(path, JSON.stringify(settings))
  return path
}

async function enrol(world: World, token: string, name: string): Promise<Run> {
  const config = await writeConfig(world, name)
  return program('bootfleet-agent', enrolWords(world, token, config))
}

function enrolWords({ server }: World, token: string, config: string): readonly string[] {
  return ['enrol', '--token-file', token, '--server', server, '--config', config, '--wait', '2m']
}

async function makeToken({ bootfleet, dir }: World, ...args: readonly string[]): Promise<string> {
  const file = join(dir, `token-${args.join('').replaceAll('/', '-')}`)
  const made = await bootfleet('enrol', 'token', 'create', '--label', 'site=eu', '--file', file, ...args)
  expect(made).toMatchObject({ status: 0, note: expect.stringContaining('site=eu') })
  expect(made.out).toBe('')
  return file
}

async function joinsOf({ bootfleet }: World): Promise<readonly Join[]> {
  const { out } = await bootfleet('get', 'requests', '-o', 'json')
  return JSON.parse(out === '' ? '[]' : out) as readonly Join[]
}

async function runAgent(world: World, name: string): Promise<void> {
  const args = ['run', '--config', join(world.dir, `${name}.yaml`)]
  const child = spawn(join(PROGRAMS, 'bootfleet-agent'), args, { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
  })
}

/** Every file of the deployment but the token's own: store, logs, state, identities. */
async function filesWith(world: World, token: string): Promise<readonly string[]> {
  const secret = Buffer.from(parseJoinToken((await readFile(token, 'utf8')).trim())?.secret ?? '')
  expect(secret.length).toBe(32)
  const forms = [secret, ...(['base64url', 'base64', 'hex'] as const).map((form) => secret.toString(form))]
  const found: string[] = []
  for (const top of [world.dir, world.fleet.dir]) {
    for (const entry of await readdir(top, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (!entry.isFile() || path === token) continue
      const bytes = await readFile(path).catch(() => Buffer.alloc(0))
      if (forms.some((form) => bytes.includes(form))) found.push(path)
    }
  }
  return found
}

test('a host with a token waits for an operator who sees the same fingerprint, and then reports', async () => {
  const world = await openWorld()
  const token = await makeToken(world, '--uses=2')
  const enrolling = enrol(world, token, 'till-1')
  await expect.poll(() => joinsOf(world), waiting).toMatchObject([{ state: 'Waiting', message: '' }])
  const [asked] = await joinsOf(world)
  const fingerprint = asked?.fingerprint ?? ''
  expect(await world.bootfleet('approve', `request/${fingerprint}`, '--reason', 'saw it')).toMatchObject({
    status: 0,
    out: `host till-1 (${fingerprint}) is let in\n`,
  })
  const ended = await enrolling
  expect(ended).toMatchObject({ status: 0, out: expect.stringContaining(`fingerprint ${fingerprint}`) })
  await runAgent(world, 'till-1')
  const hosts = async (): Promise<unknown> =>
    JSON.parse((await world.bootfleet('get', 'hosts', '-o', 'json')).out)
  await expect
    .poll(hosts, waiting)
    .toMatchObject([{ name: 'till-1', connected: true, labels: { site: 'eu' } }])

  const denied = enrol(world, token, 'till-2')
  await expect.poll(() => joinsOf(world), waiting).toHaveLength(2)
  const second = (await joinsOf(world)).find(({ state }) => state === 'Waiting')?.fingerprint ?? ''
  await world.bootfleet('deny', `request/${second}`, '--reason', 'not ours')
  expect(await denied).toMatchObject({ status: 1, note: expect.stringContaining('not ours') })
  expect(await filesWith(world, token)).toEqual([])
})

test('new hardware takes the place of a host, whose key is worth nothing from then on', async () => {
  const world = await openWorld()
  await enrol(world, await makeToken(world, '--auto-approve'), 'till-1')
  const token = await makeToken(world, '--replace', 'host/till-1', '--label', 'rack=4')
  const enrolling = enrol(world, token, 'till-1b')
  const waitingOnes = async (): Promise<readonly Join[]> =>
    (await joinsOf(world)).filter(({ state }) => state === 'Waiting')
  await expect
    .poll(waitingOnes, waiting)
    .toMatchObject([{ message: expect.stringContaining('takes the place of host till-1') }])
  const [asked] = await waitingOnes()
  await world.bootfleet('approve', `request/${asked?.fingerprint ?? ''}`, '--reason', 'new mainboard')
  expect(await enrolling).toMatchObject({ status: 0 })
  await runAgent(world, 'till-1b')
  const hosts = async (): Promise<unknown> =>
    JSON.parse((await world.bootfleet('get', 'hosts', '-o', 'json')).out)
  await expect
    .poll(hosts, waiting)
    .toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'till-1', connected: true, labels: { site: 'eu', rack: '4' } }),
        expect.objectContaining({ conditions: expect.arrayContaining(['Revoked']) }),
      ]),
    )
})

test('a token lets in the one host that it is for, and whoever stole it nobody', async () => {
  const world = await openWorld()
  const token = await makeToken(world, '--auto-approve')
  const [first, second] = await Promise.all([enrol(world, token, 'till-1'), enrol(world, token, 'till-2')])
  expect(new Set([first.status, second.status])).toEqual(new Set([0, 1]))
  expect(await enrol(world, token, 'till-3')).toMatchObject({
    status: 1,
    note: expect.stringContaining('the token lets nobody in'),
  })
  const winner = first.status === 0 ? 'till-1' : 'till-2'
  const another = await makeToken(world, '--auto-approve', '--uses=2')
  const impostor = enrolWords(world, another, await writeConfig(world, 'impostor'))
  const stolenName = program('bootfleet-agent', [...impostor, '--name', winner])
  const message = expect.stringContaining('the name belongs to host') as string
  await expect
    .poll(() => joinsOf(world), waiting)
    .toContainEqual(expect.objectContaining({ state: 'Waiting', message }))
  const { id } = (
    JSON.parse((await world.bootfleet('enrol', 'token', 'list', '-o', 'json')).out) as { id: string }[]
  )[1] ?? { id: '' }
  expect(await world.bootfleet('enrol', 'token', 'revoke', id, '--reason', ' ')).toMatchObject({
    status: 1,
    note: expect.stringContaining('revoking a token: it says no reason'),
  })
  expect(await world.bootfleet('enrol', 'token', 'revoke', id, '--reason', 'stolen')).toMatchObject({
    status: 0,
    out: expect.stringContaining('what waited by it is denied'),
  })
  expect(await stolenName).toMatchObject({
    status: 1,
    note: expect.stringContaining('its token was revoked'),
  })
  const audit = (await world.bootfleet('audit', '--limit', '100', '-o', 'json')).out
  for (const event of ['CreateToken', 'Enrol', 'RevokeToken', 'it is used up']) expect(audit).toContain(event)
  expect(await filesWith(world, token)).toEqual([])
})
