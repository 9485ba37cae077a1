import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import { execa } from 'execa'
import pino from 'pino'
import type { FleetRecord } from '../../../controller/rollout/records.ts'
import { connectStore } from '../../../controller/store/store.ts'
import { startNatsServer } from '../nats-server.ts'
import type { NatsServer } from '../nats-server.ts'
import { controllerOf, openAdmin } from '../nats-users.ts'
import type { Medium } from './medium.ts'

/** Of each fleet the newest generation whose write was acknowledged. */
export type Acknowledged = ReadonlyMap<string, number>
export type StoreCut = { readonly file: string; readonly acknowledged: Acknowledged }
export type Writer = { write(fleet: string, generation: number): Promise<unknown>; close(): Promise<void> }

const logger = pino({ level: 'silent' })
const FLEETS = 20
const WRITERS = 4
const PAUSE_MAX_MS = 150

/** A file system of its own, ext4 as most servers have it, for the data of one nats-server. */
export async function makeStoreDisk(medium: Medium, name: string): Promise<string> {
  const file = join(medium.directory, name)
  await writeFile(file, '')
  await truncate(file, 2 * 1024 ** 3)
  await execa('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=1,lazy_journal_init=1', file])
  return file
}

/** Runs `work` with the disk mounted. */
export async function mounted<Result>(
  file: string,
  directory: string,
  work: (directory: string) => Promise<Result>,
): Promise<Result> {
  await mkdir(directory, { recursive: true })
  // A long commit interval: nothing gets to the disk by itself that was not synced.
  await execa('mount', ['-o', 'loop,commit=300', file, directory])
  try {
    return await work(directory)
  } finally {
    await execa('umount', [directory])
  }
}

/** As the controller writes: compare-and-swap, through its own client. */
export async function writerOfController(server: NatsServer, signal: AbortSignal): Promise<Writer> {
  const store = await connectStore({ ...(await controllerOf(server)), signal, logger })
  await store.load(signal)
  return {
    write: (name, generation) =>
      store.commit([{ kind: 'fleet', record: fleetRecord(name, generation) }], { term: 1, signal }),
    close: () => store.close(),
  }
}

/** The same records past the controller's checks, which refuse a server that would lose them. */
export async function uncheckedWriter(server: NatsServer): Promise<Writer> {
  const connection = await openAdmin(server)
  const publisher = jetstream(connection)
  return {
    write: (name, generation) =>
      publisher.publish(`$KV.fleets.${name}`, JSON.stringify(fleetRecord(name, generation))),
    close: () => connection.close(),
  }
}

/** Writes without a pause, and cuts the power at so many moments by chance. */
export async function cutWhileWriting(
  writer: Writer,
  medium: Medium,
  { file, name, cuts }: { readonly file: string; readonly name: string; readonly cuts: number },
): Promise<readonly StoreCut[]> {
  const acknowledged = new Map<string, number>()
  const done = new AbortController()
  const write = async (lane: number): Promise<void> => {
    for (let turn = 1; !done.signal.aborted; turn += 1) {
      const fleet = `fleet-${lane + WRITERS * (turn % (FLEETS / WRITERS))}`
      await writer.write(fleet, turn)
      acknowledged.set(fleet, turn)
    }
  }
  const writing = Promise.all(Array.from({ length: WRITERS }, (_, lane) => write(lane)))
  const made: StoreCut[] = []
  for (let cut = 0; cut < cuts; cut += 1) {
    await delay(Math.random() * PAUSE_MAX_MS)
    const before = new Map(acknowledged)
    made.push({ file: await medium.cut(file, `${name}-cut-${cut}.img`), acknowledged: before })
  }
  done.abort()
  await writing
  return made
}

/** What is not there any more of what was acknowledged before the cut, after a server found its files as the cut left them. */
export async function lostAfter(
  { file, acknowledged }: StoreCut,
  at: { readonly directory: string; readonly trustDir: string; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  return mounted(file, at.directory, async (dir) => {
    const server = await startNatsServer({ dir, trustDir: at.trustDir, provisioned: false })
    try {
      const store = await connectStore({ ...(await controllerOf(server)), signal: at.signal, logger })
      const { fleets } = await store.load(at.signal)
      await store.close()
      const found = new Map(fleets.map(({ fleet, generation }) => [fleet, generation]))
      return [...acknowledged].flatMap(([fleet, generation]) => {
        const there = found.get(fleet) ?? 0
        return there >= generation ? [] : [`${fleet}: ${there} of ${generation}`]
      })
    } finally {
      await server.stop()
    }
  })
}

function fleetRecord(fleet: string, generation: number): FleetRecord {
  const nothing = { stable: null, denied: [], allowed: [], halted: null, log: [], rolloutId: null }
  return { fleet, generation, ...nothing }
}
