import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { operatorContext } from '../support/operator-context.ts'
import { openSmallFleet, statusOf } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'
import { installSoftwareTpm, softwareTpm } from '../support/software-tpm.ts'

const PROGRAMS = join(import.meta.dirname, '../../dist')
const waiting = { timeout: 90_000, interval: 200 }

type Run = { readonly status: number; readonly out: string; readonly note: string }
type World = {
  readonly fleet: SmallFleet
  readonly dir: string
  readonly program: (name: string, ...args: readonly string[]) => Promise<Run>
  /** With the settings of an operator. */
  readonly bootfleet: (...args: readonly string[]) => Promise<Run>
  /** Of an agent that runs until the test ends, unless it is stopped before. */
  readonly runAgent: (config: string) => { readonly stop: () => Promise<void> }
}

async function openWorld(): Promise<World> {
  const fleet = await openSmallFleet({ settings: { join: { listen: '127.0.0.1:0' } } })
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-sealed-'))
  onTestFinished(async () => {
    await fleet.stop()
    await rm(dir, { recursive: true, force: true })
  })
  const context = await operatorContext(fleet)
  await statusOf(fleet.controller)
  const path = `${await installSoftwareTpm(join(dir, 'bin'))}:${process.env['PATH'] ?? ''}`
  const env = { ...process.env, PATH: path }
  const program = (name: string, ...args: readonly string[]): Promise<Run> =>
    new Promise((resolve) => {
      execFile(join(PROGRAMS, name), args, { timeout: 180_000, env }, (error, out, note) =>
        resolve({ status: error === null ? 0 : Number(error.code), out, note }),
      )
    })
  return {
    fleet,
    dir,
    program,
    bootfleet: (...args) => program('bootfleet', '--context', context, ...args),
    runAgent: (config) => {
      const args = ['run', '--config', config]
      const child = spawn(join(PROGRAMS, 'bootfleet-agent'), args, { stdio: 'ignore', env })
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      const stop = (): Promise<void> => {
        child.kill('SIGTERM')
        return ended
      }
      onTestFinished(stop)
      return { stop }
    },
  }
}

/** Of one host with one disk, in a machine whose TPM is `tpm`'s own. */
async function configWith({ fleet, dir }: World, tpm: string): Promise<string> {
  const path = join(dir, `${tpm}.yaml`)
  const settings = {
    name: 'till-1',
    stateDir: join(dir, 'till-1'),
    identity: { seal: 'require', tpm: await softwareTpm(join(dir, tpm)) },
    controller: { address: fleet.controller.address },
    nats: { url: fleet.nats.url },
    host: { driver: 'simulated', image: { digest: `sha256:${'a'.repeat(64)}`, version: '1.0.0' } },
  }
  await writeFile(path, JSON.stringify(settings))
  return path
}

async function enrol({ fleet, dir, program, bootfleet }: World, config: string): Promise<Run> {
  const joinAddress = (): Promise<string> =>
    readFile(join(fleet.dir, 'controller/join-address'), 'utf8').catch(() => '')
  await expect.poll(joinAddress, waiting).toContain(':')
  const token = join(dir, 'token')
  const create = ['enrol', 'token', 'create', '--file', token, '--auto-approve', '--label', 'site=eu']
  expect(await bootfleet(...create)).toMatchObject({ status: 0 })
  const server = (await joinAddress()).trim()
  return program('bootfleet-agent', 'enrol', '--token-file', token, '--server', server, '--config', config)
}

async function filesWith(directory: string, pattern: RegExp): Promise<readonly string[]> {
  const found: string[] = []
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && pattern.test(await readFile(path, 'utf8'))) found.push(path)
  }
  return found
}

test('a host whose keys only its TPM can read joins, reports and comes back, and its copied disk does not', async () => {
  const world = await openWorld()
  const { dir, program, bootfleet, runAgent } = world
  const connected = async (): Promise<readonly boolean[]> => {
    const { out } = await bootfleet('get', 'hosts', '-o', 'json')
    return (JSON.parse(out) as { connected: boolean }[]).map((host) => host.connected)
  }
  const [own, other] = [await configWith(world, 'own'), await configWith(world, 'other')]
  expect(await enrol(world, own)).toMatchObject({ status: 0 })
  const agent = runAgent(own)
  await expect.poll(connected, waiting).toEqual([true])
  expect(await readdir(join(dir, 'till-1/identity'))).toEqual(
    expect.arrayContaining(['key.pem.sealed', 'nats.key.sealed']),
  )
  expect(await filesWith(join(dir, 'till-1'), /PRIVATE KEY|\bSU[A-Z2-7]{56}\b/)).toEqual([])
  const shown = await program('bootfleet-agent', 'status', '--config', own)
  expect(shown.out).toContain("keys    sealed by this machine's TPM\n")
  expect((await bootfleet('describe', 'host/till-1')).out).toMatch(/^Keys: +sealed by its TPM$/m)
  await agent.stop()
  await expect.poll(connected, waiting).toEqual([false])

  expect(await program('bootfleet-agent', 'run', '--config', other)).toMatchObject({
    status: 1,
    note: expect.stringMatching(/unsealing bootfleet\.nats\.key .*enrol the host again/s),
  })
  runAgent(own)
  await expect.poll(connected, waiting).toEqual([true])
})
