import { afterAll, beforeAll, expect, it } from 'vitest'
import { rolledBackFrom, settledOn, untilSeen, wantImage } from '../../support/vm/fleet.ts'
import type { Files } from '../../support/vm/host-images.ts'
import type { Machine } from '../../support/vm/machine.ts'
import { broken, working } from '../../support/vm/versions.ts'
import { openWorld } from '../../support/vm/world.ts'
import type { World } from '../../support/vm/world.ts'

const checks = ['web-up']
let world: World
let machine: Machine
let good: string

beforeAll(async () => {
  world = await openWorld()
  good = await world.images.push('1', working)
  wantImage(world, good, { checks })
  machine = await world.machine('till-1', good)
  await machine.start()
  await untilSeen(world, [machine], settledOn(good))
})

afterAll(async () => {
  await world.close()
})

/** Give it to the fleet, and say what the machine is when it has come back by itself. */
async function afterFailing(
  version: string,
  files: Files,
): Promise<{ runs: string; boots: number; isDenied: boolean; isExplained: boolean }> {
  const bootsBefore = await machine.boots()
  const digest = await world.images.push(version, files)
  wantImage(world, digest, { checks })
  const { hosts } = await untilSeen(world, [machine], rolledBackFrom(digest, good))
  return {
    runs: (await machine.shell.run('cat /usr/lib/version')).trim(),
    boots: (await machine.boots()) - bootsBefore,
    isDenied: hosts[0]?.deniedDigests.includes(digest) === true,
    isExplained: (hosts[0]?.evidence.length ?? 0) > 0,
  }
}

// Three tries, then the one before.
const backAfterThreeTries = { runs: '1', boots: 4, isDenied: true, isExplained: true }

it('comes back from an image whose kernel panics', async () => {
  expect(await afterFailing('2-panic', broken.kernelPanics)).toEqual(backAfterThreeTries)
})

it('comes back from an image that ends in emergency mode', async () => {
  expect(await afterFailing('2-emergency', broken.mountFails)).toEqual(backAfterThreeTries)
})

it('comes back from an image whose agent never starts', async () => {
  expect(await afterFailing('3-no-agent', broken.agentNeverStarts)).toEqual(backAfterThreeTries)
})

it('comes back from an image that loses the network, and reports it when it is back', async () => {
  const digest = await world.images.push('4-no-network', broken.networkIsLost)
  wantImage(world, digest, { checks, health: '9m' })
  const { hosts } = await untilSeen(world, [machine], rolledBackFrom(digest, good))
  expect((await machine.shell.run('cat /usr/lib/version')).trim()).toBe('1')
  expect(hosts[0]?.deniedDigests).toContain(digest)
})
