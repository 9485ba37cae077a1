import { afterAll, beforeAll, expect, it } from 'vitest'
import { rolledBackFrom, settledOn, untilSeen, wantImage } from '../../support/vm/fleet.ts'
import type { Machine } from '../../support/vm/machine.ts'
import { broken, working } from '../../support/vm/versions.ts'
import { openWorld } from '../../support/vm/world.ts'
import type { World } from '../../support/vm/world.ts'

const checks = ['web-up']
let world: World
const machines: Machine[] = []
let good: string

beforeAll(async () => {
  world = await openWorld()
  good = await world.images.push('1', working)
  wantImage(world, good, { checks })
  for (const name of ['till-1', 'till-2', 'till-3']) {
    const machine = await world.machine(name, good)
    machines.push(machine)
    await machine.start()
  }
  await untilSeen(world, machines, (seen) => seen.hosts.length === 3 && settledOn(good)(seen))
})

afterAll(async () => {
  await world.close()
})

it('stops a broken image at the first of three machines, and the other two never boot', async () => {
  const bootsBefore = await Promise.all(machines.map((machine) => machine.boots()))
  const digest = await world.images.push('2-unhealthy', broken.checkFails)
  wantImage(world, digest, { checks, health: '60s' })
  await untilSeen(world, machines, rolledBackFrom(digest, good))
  const boots = await Promise.all(machines.map((machine) => machine.boots()))
  const more = boots.map((count, index) => count - (bootsBefore[index] ?? 0))
  expect(more.toSorted((a, b) => a - b)).toEqual([0, 0, 2])
})

it('brings a better one to all three', async () => {
  const digest = await world.images.push('3', working)
  wantImage(world, digest, { checks })
  await untilSeen(world, machines, settledOn(digest))
  for (const machine of machines) expect((await machine.shell.run('cat /usr/lib/version')).trim()).toBe('3')
})
