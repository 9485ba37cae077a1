import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { runProgram } from '../program.ts'
import type { Terminal } from '../terminal.ts'
import { newestOf } from './get-watch.ts'

let world: GrpcWorld
let dir = ''
let context = ''

beforeAll(async () => {
  world = await startGrpcWorld()
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-watch-'))
  context = join(dir, 'context.json')
  await writeFile(join(dir, 'ca.pem'), world.authority.certificatePem)
  await writeFile(join(dir, 'operator.pem'), world.operator.certificatePem)
  await writeFile(join(dir, 'operator.key'), world.operator.keyPem)
  const files = { ca: 'ca.pem', certificate: 'operator.pem', key: 'operator.key' }
  await writeFile(context, JSON.stringify({ address: world.address, ...files }))
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true, force: true })
})

type Watching = {
  readonly out: () => readonly string[]
  readonly note: () => string
  readonly end: () => Promise<number>
}

function watch(...args: readonly string[]): Watching {
  const stop = new AbortController()
  let out = ''
  let note = ''
  const terminal: Terminal = {
    out: (text) => void (out += text),
    note: (text) => void (note += text),
    environment: {},
    homeDir: '/nowhere',
    interactive: false,
    colour: false,
    columns: () => 80,
    tty: null,
    signal: stop.signal,
  }
  const ended = runProgram(['--context', context, 'get', ...args, '--watch'], terminal)
  return {
    out: () => out.split('\n').filter((line) => line !== ''),
    note: () => note,
    end: () => {
      stop.abort()
      return ended
    },
  }
}

const patiently = { timeout: 60_000 }

it('a watch prints the list, then each line that changes, and says what is gone', async () => {
  world.snapshot = snapshotOfFleets(['edge', 'shop'])
  const watching = watch('hosts')
  await expect.poll(watching.out, patiently).toHaveLength(4)
  const away = { connected: false, lastSeenAtMs: 0, doneBytes: 0, totalBytes: 0 }
  const there = { ...away, connected: true }
  const presenceOf = (hostId: string): typeof away => (hostId === 'shop-1' ? away : there)
  world.snapshot = { ...world.snapshot, presenceOf }
  world.change()
  await expect.poll(watching.out, patiently).toHaveLength(5)
  expect(watching.out().at(-1)).toMatch(/^shop-1 .*away/)
  world.snapshot = { ...snapshotOfFleets(['edge']), presenceOf }
  world.change()
  await expect.poll(watching.note, patiently).toBe('host/shop-1 is gone\n')
  expect(watching.out()).toHaveLength(5)
  expect(await watching.end()).toBe(0)
})

it('what comes while one looks costs one more look, at the newest', async () => {
  const given: number[] = []
  let told = 0
  async function* source(): AsyncGenerator<number> {
    while (told < 1_000) {
      await Promise.resolve()
      yield (told += 1)
    }
  }
  for await (const value of newestOf(source())) {
    given.push(value)
    await expect.poll(() => told, patiently).toBe(1_000)
  }
  expect(given).toEqual([1, 1_000])
})

it('what ends a stream is told to whoever reads it', async () => {
  async function* source(): AsyncGenerator<number> {
    yield 1
    throw new Error('roles were taken away')
  }
  const given: number[] = []
  const read = async (): Promise<void> => {
    for await (const value of newestOf(source())) given.push(value)
  }
  await expect(read()).rejects.toThrow('roles were taken away')
  expect(given).toEqual([1])
})

it('a line that changes later stands below those before it', async () => {
  world.snapshot = snapshotOfFleets(['edge', 'a-fleet-of-a-long-name'])
  const watching = watch('hosts')
  await expect.poll(watching.out, patiently).toHaveLength(4)
  const { presenceOf } = world.snapshot
  world.snapshot = {
    ...world.snapshot,
    presenceOf: (hostId) => ({ ...presenceOf(hostId), connected: hostId !== 'edge-1' }),
  }
  world.change()
  await expect.poll(watching.out, patiently).toHaveLength(5)
  const [header = ''] = watching.out()
  expect(watching.out().at(-1)?.indexOf('away')).toBe(header.indexOf('SEEN'))
  expect(await watching.end()).toBe(0)
})

it('fleets and waves are those of the stream, with one line for each that changes', async () => {
  world.snapshot = snapshotOfFleets(['edge', 'shop'])
  const watching = watch('fleets', '-o', 'name')
  await expect.poll(watching.out, patiently).toEqual(['fleet/edge', 'fleet/shop'])
  world.snapshot = snapshotOfFleets(['shop'])
  world.change()
  await expect.poll(watching.note, patiently).toBe('fleet/edge is gone\n')
  expect(await watching.end()).toBe(0)
})

it('as JSON a watch is one object a line, and -l leaves hosts out', async () => {
  world.snapshot = snapshotOfFleets(['edge', 'shop'])
  const watching = watch('hosts', '-l', 'fleet in (edge)', '-o', 'json')
  await expect.poll(watching.out, patiently).toHaveLength(1)
  expect(JSON.parse(watching.out()[0] ?? '')).toMatchObject({ name: 'edge-1', labels: { fleet: 'edge' } })
  await watching.end()
})

it('labels choose hosts and nothing else', async () => {
  const watching = watch('fleets', '-l', 'a=b')
  expect(await watching.end()).toBe(1)
})
