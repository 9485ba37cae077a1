import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startNatsServer } from '../support/nats-server.ts'
import type { NatsServer } from '../support/nats-server.ts'
import { openMedium } from '../support/powercut/medium.ts'
import type { Medium } from '../support/powercut/medium.ts'
import {
  cutWhileWriting,
  lostAfter,
  makeStoreDisk,
  mounted,
  uncheckedWriter,
  writerOfController,
} from '../support/powercut/store.ts'
import type { StoreCut, Writer } from '../support/powercut/store.ts'

const CUTS = 50
const { signal } = new AbortController()
let base: string
let trustDir: string
let medium: Medium

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'bootfleet-store-cuts-'))
  trustDir = join(base, 'trust')
  medium = await openMedium(12_288)
}, 120_000)

afterAll(async () => {
  await medium.close()
  await rm(base, { recursive: true, force: true })
}, 60_000)

/** A server that writes on a disk of its own, and what cuts left of that disk. */
async function cutsOf(
  name: string,
  { cuts, change }: { readonly cuts: number; readonly change?: (config: string) => string },
  openWriter: (server: NatsServer) => Promise<Writer>,
): Promise<readonly StoreCut[]> {
  const file = await makeStoreDisk(medium, `${name}.img`)
  return mounted(file, join(base, name), async (dir) => {
    const server = await startNatsServer({ dir, trustDir, ...(change === undefined ? {} : { change }) })
    const writer = await openWriter(server)
    const made = await cutWhileWriting(writer, medium, { file, name, cuts })
    await writer.close()
    await server.stop()
    return made
  })
}

const lostOf = (cut: StoreCut) => lostAfter(cut, { directory: join(base, 'found'), trustDir, signal })

test('no write that was acknowledged is lost when the power of the store is cut', async () => {
  const cuts = await cutsOf('always', { cuts: CUTS }, (server) => writerOfController(server, signal))
  expect(cuts).toHaveLength(CUTS)
  expect(cuts.at(-1)?.acknowledged.size).toBe(20)
  const lost: string[] = []
  for (const [index, cut] of cuts.entries()) {
    lost.push(...(await lostOf(cut)).map((each) => `cut ${index}: ${each}`))
  }
  expect(lost).toEqual([])
}, 1_800_000)

test('a server that syncs now and then, which the controller refuses, does lose some', async () => {
  const change = (config: string) => config.replace('sync_interval: always', 'sync_interval: "2m"')
  const cuts = await cutsOf('now-and-then', { cuts: 3, change }, uncheckedWriter)
  const [, , last] = cuts
  if (last === undefined) throw new Error('nothing was cut')
  const whole = await lostOf(last).then(
    (lost) => lost.length === 0,
    (error: unknown) => {
      // What was lost may be the stream itself.
      expect(error).toMatchObject({ code: 'StoreUnavailable' })
      return false
    },
  )
  expect(whole).toBe(false)
}, 600_000)
