import { afterAll, beforeAll, expect, it } from 'vitest'
import { settledOn, untilSeen, wantImage } from '../support/vm/fleet.ts'
import { onAnyMachine, working } from '../support/vm/versions.ts'
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
  machine = await world.debian('till-1', 'bios')
})

afterAll(async () => {
  await world.close()
})

it('boots the image where GRUB on a BIOS booted Debian, and keeps what is its own', async () => {
  await machine.adopt(first)
  await machine.start()
  await untilSeen(world, [machine], settledOn(first))
  const shown = await machine.shell.run('cat /usr/lib/version /srv/ledger /etc/hostname')
  expect(shown).toBe('1\nkept since before\ntill-1')
})

it('goes from 1 to 2 by a commit', async () => {
  const second = await world.images.push('2', onAnyMachine(working))
  wantImage(world, second, { checks })
  await untilSeen(world, [machine], settledOn(second))
  expect(await machine.shell.run('cat /usr/lib/version /srv/ledger')).toBe('2\nkept since before')
})
