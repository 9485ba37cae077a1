import { afterAll, beforeAll, expect, it } from 'vitest'
import { rolledBackFrom, settledOn, untilSeen, wantImage } from '../support/vm/fleet.ts'
import type { Machine } from '../support/vm/machine.ts'
import { broken, working } from '../support/vm/versions.ts'
import { openWorld } from '../support/vm/world.ts'
import type { World } from '../support/vm/world.ts'

const checks = ['web-up']
let world: World
let machine: Machine
let first: string
let second: string

beforeAll(async () => {
  world = await openWorld()
  first = await world.images.push('1', working)
  second = await world.images.push('2', working)
  wantImage(world, first, { checks })
  machine = await world.machine('till-1', first)
  await machine.start()
  await untilSeen(world, [machine], settledOn(first))
})

afterAll(async () => {
  await world.close()
})

async function runningVersion(): Promise<string> {
  return (await machine.shell.run('cat /usr/lib/version')).trim()
}

async function expectBoots(before: number, wanted: number): Promise<void> {
  const boots = (await machine.boots()) - before
  if (boots === wanted) return
  const shown = (await machine.console()).slice(-8_000)
  throw new Error(`the machine booted ${boots} times, not ${wanted}; its console showed\n${shown}`)
}

it('goes from 1 to 2 by a commit', async () => {
  wantImage(world, second, { checks })
  await untilSeen(world, [machine], settledOn(second))
  expect(await runningVersion()).toBe('2')
})

it('comes back from an image whose kernel cannot find its root, and says what the boots showed', async () => {
  const bootsBefore = await machine.boots()
  const digest = await world.images.push('3-no-root', broken.kernelWithoutRoot)
  wantImage(world, digest, { checks })
  const { hosts } = await untilSeen(world, [machine], rolledBackFrom(digest, second))
  expect(await runningVersion()).toBe('2')
  expect(hosts[0]?.deniedDigests).toContain(digest)
  expect(hosts[0]?.evidence.length).toBeGreaterThan(0)
  // Three tries, then the one before.
  await expectBoots(bootsBefore, 4)
})

it('comes back at once from an image whose health check fails', async () => {
  const bootsBefore = await machine.boots()
  const digest = await world.images.push('4-unhealthy', broken.checkFails)
  wantImage(world, digest, { checks, health: '40s' })
  const { fleet } = await untilSeen(world, [machine], rolledBackFrom(digest, second))
  expect(fleet.message).toContain('web-up')
  expect(await runningVersion()).toBe('2')
  await expectBoots(bootsBefore, 2)
})
