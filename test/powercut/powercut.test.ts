import { afterAll, beforeAll, expect, test } from 'vitest'
import { collectCuts } from '../support/powercut/collect.ts'
import type { Cut } from '../support/powercut/collect.ts'
import { survive } from '../support/powercut/survive.ts'
import type { World } from '../support/powercut/world.ts'
import { openWorld } from '../support/powercut/world.ts'

/** `make test-powercut-full` asks for more. */
const cutsMin = Number(process.env['POWERCUTS'] ?? 300)

let world: World
let cuts: readonly (readonly Cut[])[] = []

beforeAll(async () => {
  world = await openWorld()
}, 120_000)

afterAll(async () => world.close(), 60_000)

test('updates go on while the disks are copied at every step and at random moments', async () => {
  const { disks } = world
  const each = Math.ceil(cutsMin / disks.length)
  cuts = await Promise.all(disks.map((disk) => collectCuts(world, disk, each)))
  expect(cuts.flat().length).toBeGreaterThanOrEqual(cutsMin)
  const steps = new Set(cuts.flat().flatMap(({ step }) => step ?? []))
  // Copy, merge, sync, entry, record; intend, sync, entry, default, sync, record; bless.
  expect([...steps].toSorted()).toMatchSnapshot()
}, 900_000)

test(
  'after every cut the disk holds one whole system, and the agent ends on the image of its plan',
  async () => {
    const failures: string[] = []
    const work = async (queue: readonly Cut[], worker: string): Promise<void> => {
      for (const cut of queue) {
        const found = await survive(world, cut, worker).catch((error: unknown) => String(error))
        if (found !== null) failures.push(`${cut.name}: ${found}`)
      }
    }
    await Promise.all(cuts.map((queue, index) => work(queue, `worker-${index}`)))
    expect(failures).toEqual([])
  },
  cutsMin * 12_000,
)
