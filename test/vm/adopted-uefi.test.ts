import { afterAll, beforeAll, expect, it } from 'vitest'
import { rolledBackFrom, settledOn, untilSeen, wantImage } from '../support/vm/fleet.ts'
import { broken, onAnyMachine, working } from '../support/vm/versions.ts'
import { openWorld } from '../support/vm/world.ts'
import type { DebianMachine, World } from '../support/vm/world.ts'

const checks = ['web-up']
let world: World
let machine: DebianMachine
let first: string

beforeAll(async () => {
  world = await openWorld()
  first = await world.images.push('1', onAnyMachine(working))
  wantImage(world, first, { checks })
  machine = await world.debian('till-1', 'uefi')
})

afterAll(async () => {
  await world.close()
})

it('boots the image where GRUB on UEFI booted Debian', async () => {
  await machine.adopt(first)
  await machine.start()
  await untilSeen(world, [machine], settledOn(first))
  expect(await machine.shell.run('cat /usr/lib/version')).toBe('1')
})

it('comes back from an image whose kernel cannot find its root, after three tries that GRUB counts', async () => {
  const before = await machine.boots()
  const digest = await world.images.push('2-no-root', onAnyMachine(broken.kernelWithoutRoot))
  wantImage(world, digest, { checks })
  const { hosts } = await untilSeen(world, [machine], rolledBackFrom(digest, first))
  expect(await machine.shell.run('cat /usr/lib/version')).toBe('1')
  expect(hosts[0]?.deniedDigests).toContain(digest)
  expect((await machine.boots()) - before).toBe(4)
})
