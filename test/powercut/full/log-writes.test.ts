import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chanceFrom, choosePoints } from '../../support/log-writes/cuts.ts'
import { logUpdate } from '../../support/log-writes/guest.ts'
import { openReplay } from '../../support/log-writes/replay.ts'
import { restart } from '../../support/log-writes/restart.ts'
import { readLog } from '../../support/log-writes/write-log.ts'
import { openWorld } from '../../support/powercut/world.ts'
import type { World } from '../../support/powercut/world.ts'

const pointsMin = Number(process.env['LOG_WRITES_POINTS'] ?? 300)
const seed = Number(process.env['LOG_WRITES_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

let world: World

beforeAll(async () => {
  world = await openWorld()
}, 180_000)

afterAll(async () => world.close(), 60_000)

test('an update survives a disk that loses and reorders whatever was not flushed', async () => {
  const { medium, disks, versions, repository } = world
  const [disk] = disks
  const [from, to] = versions
  if (disk === undefined || from === undefined || to === undefined) throw new Error('the world is empty')
  const durable = await medium.cut(disk.file, 'log-writes-durable.img')
  const directory = await world.folder('log-writes')
  const log = await logUpdate({ directory, disk: disk.file, image: `${repository}@${to.digest}` })
  const entries = await readLog(log)
  const copy = async (name: string): Promise<string> => medium.cut(durable, name)
  const replay = await openReplay({ entries, log, durable, copy })
  const marks = entries.flatMap(({ kind, text }) => (kind === 'mark' ? [text] : []))
  expect(marks).toEqual(['pull', 'deploy', 'activate', 'unmount', 'dm-log-writes-end'])
  const points = choosePoints(entries, pointsMin, chanceFrom(seed))
  expect(points.length).toBeGreaterThanOrEqual(pointsMin)
  const failures: string[] = []
  for (const [index, { count, why }] of points.entries()) {
    const name = `cut-${index}-after-${count}-${why}.img`
    const file = await replay.cut(count, name, chanceFrom(seed + index))
    const found = await restart(world, file, { from, to }).catch((error: unknown) => String(error))
    if (found === null) continue
    // No two runs of the guest write alike: the seed chooses the same only from the same log.
    const kept = await keep(await replay.cut(count, name, chanceFrom(seed + index)), name)
    failures.push(`seed ${seed}, disk in ${kept}: ${found}`)
  }
  await replay.finish()
  // All of the log is all that was written, or the points above show nothing.
  await execa('cmp', [durable, disk.file])
  expect(failures).toEqual([])
}, 7_200_000)

/** Outside of all that goes when the test ends. */
async function keep(file: string, name: string): Promise<string> {
  const kept = join(await mkdtemp(join(tmpdir(), 'bootfleet-log-writes-')), name)
  await execa('cp', ['--sparse=always', file, kept])
  await rm(file)
  return kept
}
