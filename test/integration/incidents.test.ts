import { X509Certificate } from 'node:crypto'
import { execFile, spawn } from 'node:child_process'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readChain } from '../../trust/chain-file.ts'
import { freePort } from '../support/nats-server.ts'
import { operatorEnvironment, walkThrough } from '../support/incident.ts'
import { openSmallFleet, runs, statusOf, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAMS = join(import.meta.dirname, '../../dist')
const waiting = { timeout: 180_000, interval: 250 }

/** Walks of many steps, on a machine that does other things too. */
const patience = { timeout: 900_000 } as const

type Run = { readonly status: number; readonly text: string }
type Host = {
  readonly name: string
  readonly connected: boolean
  readonly conditions: readonly string[]
  readonly bootedDigest: string
}

async function openWorld(settings: Readonly<Record<string, unknown>> = {}): Promise<SmallFleet> {
  const joinAddress = `127.0.0.1:${await freePort()}`
  const world = await openSmallFleet({ pollInterval: '1s', settings, joinAddress })
  onTestFinished(() => world.stop())
  await statusOf(world.controller)
  return world
}

async function run(world: SmallFleet, program: string, args: readonly string[]): Promise<Run> {
  const env = await operatorEnvironment(world)
  return new Promise((resolve) => {
    execFile(join(PROGRAMS, program), args, { env, timeout: 180_000 }, (error, out, note) =>
      resolve({ status: error === null ? 0 : Number(error.code), text: `${out}${note}` }),
    )
  })
}

async function hostsOf(world: SmallFleet): Promise<readonly Host[]> {
  const { status, text } = await run(world, 'bootfleet', ['get', 'hosts', '-o', 'json'])
  return status === 0 ? (JSON.parse(text) as readonly Host[]) : []
}

const hostNamed = async (world: SmallFleet, wanted: string): Promise<Host | undefined> =>
  (await hostsOf(world)).find(({ name }) => name === wanted)

/** A rollout of another image reaches every host. */
async function moves(world: SmallFleet, version: string): Promise<void> {
  const digest = await world.registry.pushEmptyImage('os/edge', version)
  world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`) }, `Run ${version}`)
  await untilStatus(world.controller, runs(digest))
}

const inTrust = (world: SmallFleet, ...parts: readonly string[]): string => join(world.dir, 'trust', ...parts)

const heldBundle = async (world: SmallFleet, host = 'host-000'): Promise<number> =>
  (await readChain(join(world.dir, host, 'trust.jsonl'))).newest.content.number

async function isOfNewCa(world: SmallFleet, host: string): Promise<boolean> {
  const { publicKey } = new X509Certificate(await readFile(inTrust(world, 'next/ca.pem')))
  const certificate = await readFile(join(world.dir, host, 'identity/certificate.pem'))
  return new X509Certificate(certificate).verify(publicKey)
}

/** Public keys of the users that are connected to NATS now. */
async function connectedUsers({ nats }: SmallFleet): Promise<readonly string[]> {
  const answer = (await (await fetch(`${nats.monitorUrl}/connz?auth=1`)).json()) as {
    readonly connections: readonly { readonly authorized_user: string }[]
  }
  return answer.connections.map((one) => one.authorized_user)
}

test(
  'a token was stolen: nobody gets in by it any more, and who got in by it is cut off',
  patience,
  async () => {
    const world = await openWorld()
    const token = join(world.dir, 'stolen.token')
    const words = ['--auto-approve=1', '--uses', '3', '--file', token]
    await run(world, 'bootfleet', ['enrol', 'token', 'create', ...words])
    const [listed] = JSON.parse(
      (await run(world, 'bootfleet', ['enrol', 'token', 'list', '-o', 'json'])).text,
    ) as readonly { readonly id: string }[]
    expect(await enrol(world, token, 'thief-1')).toMatchObject({ status: 0 })
    runAgent(world, 'thief-1')
    await expect.poll(() => hostNamed(world, 'thief-1'), waiting).toMatchObject({ connected: true })
    const second = enrol(world, token, 'thief-2')
    const requests = async (): Promise<string> => (await run(world, 'bootfleet', ['get', 'requests'])).text
    await expect.poll(requests, waiting).toContain('Waiting')

    await walkThrough(world, {
      incident: 'A token was stolen',
      names: { k3v5ql2m7a: listed?.id ?? '', 'till-17': 'thief-1' },
      after: {
        'bootfleet enrol token revoke': async (printed) => expect(printed).toContain('thief-1'),
        'bootfleet audit': async (printed) => expect(printed).toMatch(/thief-1.*127\.0\.0\.1/),
      },
    })
    expect(await second).toMatchObject({ status: 1, text: expect.stringContaining('its token was revoked') })
    expect(await enrol(world, token, 'thief-3')).toMatchObject({ status: 1 })
    await expect
      .poll(() => hostNamed(world, 'thief-1'), waiting)
      .toMatchObject({ connected: false, conditions: expect.arrayContaining(['Revoked']) })
  },
)

test(
  'a host was stolen: it is cut off from the controller and NATS, and the others go on',
  patience,
  async () => {
    const world = await openWorld()
    await world.startHosts(2, await world.registry.pushEmptyImage('os/edge', '0.0.1'))
    await moves(world, '1.0.0')
    const user = (await readFile(join(world.dir, 'host-000/identity/nats.pub'), 'utf8')).trim()
    await walkThrough(world, {
      incident: 'A host was stolen',
      names: {
        'till-17': 'host-000',
        'http://127.0.0.1:8222': world.nats.monitorUrl,
        UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4: user,
      },
      after: { curl: async (printed) => expect(printed).toContain(user) },
    })
    await expect
      .poll(() => hostNamed(world, 'host-000'), waiting)
      .toMatchObject({ connected: false, conditions: expect.arrayContaining(['Revoked']) })
    await expect.poll(() => connectedUsers(world), waiting).not.toContain(user)
    await moves(world, '2.0.0')
  },
)

test(
  'the director key was stolen: hosts follow the new one alone, and no plan of the thief',
  patience,
  async () => {
    const world = await openWorld()
    await world.startHosts(2, await world.registry.pushEmptyImage('os/edge', '0.0.1'))
    await moves(world, '1.0.0')
    await walkThrough(world, {
      incident: 'The director key was stolen',
      after: {
        'bootfleet trust verify': async () => {
          for (const host of ['host-000', 'host-001'])
            await expect.poll(() => heldBundle(world, host), waiting).toBe(2)
        },
      },
    })
    await moves(world, '2.0.0')
  },
)

test(
  'the CA was lost: hosts come over to another one by themselves, NATS, controller and operator too',
  patience,
  async () => {
    const world = await openWorld({ pki: { dir: 'trust/controller', hostCertificateLife: '90s' } })
    await world.startHosts(2, await world.registry.pushEmptyImage('os/edge', '0.0.1'))
    await moves(world, '1.0.0')
    await world.controller.stop()
    for (const end of ['key', 'pem']) await rm(inTrust(world, `controller/ca.${end}`))
    await walkThrough(world, {
      incident: 'The CA was lost',
      after: {
        'bootfleet get hosts': async () => {
          for (const host of ['host-000', 'host-001'])
            await expect.poll(() => isOfNewCa(world, host), waiting).toBe(true)
        },
      },
    })
    for (const host of ['host-000', 'host-001'])
      await expect.poll(() => heldBundle(world, host), waiting).toBe(3)
    // What was open under the old one must not be what works.
    await world.nats.restart()
    await world.controller.stop()
    await world.controller.start()
    await expect
      .poll(async () => (await hostsOf(world)).map(({ connected }) => connected), waiting)
      .toEqual([true, true])
    await expect.poll(async () => (await connectedUsers(world)).length, waiting).toBeGreaterThanOrEqual(3)
  },
)

test(
  'the CA was stolen: it counts nowhere from then on, and hosts come back by their own keys',
  patience,
  async () => {
    const world = await openWorld({ pki: { dir: 'trust/controller', hostCertificateLife: '90s' } })
    await world.startHosts(2, await world.registry.pushEmptyImage('os/edge', '0.0.1'))
    await moves(world, '1.0.0')
    for (const end of ['key', 'pem'])
      await copyFile(inTrust(world, `controller/ca.${end}`), join(world.dir, `stolen.${end}`))
    const isConnected = async (): Promise<readonly boolean[]> =>
      (await hostsOf(world)).map(({ connected }) => connected)
    await walkThrough(world, {
      incident: 'The CA was stolen',
      names: { 'till-18': 'host-001' },
      after: {
        'bootfleet get hosts': async () => {
          await expect.poll(isConnected, waiting).toContain(true)
          await expect.poll(() => isOfNewCa(world, 'host-000'), waiting).toBe(true)
        },
      },
    })
    const next = await world.registry.pushEmptyImage('os/edge', '2.0.0')
    world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${next}`) }, 'Run 2.0.0')
    await expect.poll(async () => (await hostNamed(world, 'host-000'))?.bootedDigest, waiting).toBe(next)
    // Whom nobody takes for ours stays out, and so does whom the thief makes.
    expect(await hostNamed(world, 'host-001')).toMatchObject({ connected: false })
    expect(await isOfNewCa(world, 'host-001')).toBe(false)
    const forged = join(world.dir, 'forged.key')
    await run(world, 'bootfleet', ['trust', 'operator', forged, '--ca', join(world.dir, 'stolen.key')])
    for (const end of ['key', 'pem'])
      await copyFile(join(world.dir, `forged.${end}`), inTrust(world, `operator/operator.${end}`))
    expect((await run(world, 'bootfleet', ['get', 'hosts'])).status).not.toBe(0)
  },
)

async function enrol(world: SmallFleet, token: string, name: string): Promise<Run> {
  const config = join(world.dir, `${name}.yaml`)
  await mkdir(join(world.dir, name), { recursive: true })
  const settings = {
    name,
    stateDir: join(world.dir, name),
    controller: { address: world.controller.address },
    nats: { url: world.nats.url },
    host: { driver: 'simulated', image: { digest: `sha256:${'a'.repeat(64)}`, version: '1.0.0' } },
  }
  await writeFile(config, JSON.stringify(settings))
  const server = (await readFile(join(world.dir, 'controller/join-address'), 'utf8')).trim()
  const words = ['enrol', '--token-file', token, '--server', server, '--config', config, '--wait', '2m']
  return run(world, 'bootfleet-agent', words)
}

function runAgent(world: SmallFleet, name: string): void {
  const args = ['run', '--config', join(world.dir, `${name}.yaml`)]
  const child = spawn(join(PROGRAMS, 'bootfleet-agent'), args, { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
  })
}
