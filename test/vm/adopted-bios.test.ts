import { beforeAll, expect, it } from 'vitest'
import { openAdopted } from '../support/vm/adopted.ts'
import type { AdoptedWorld } from '../support/vm/adopted.ts'
import { settledOn, untilSeen, wantImage } from '../support/vm/fleet.ts'
import { onAnyMachine, working } from '../support/vm/versions.ts'

const checks = ['web-up']
let adopted: AdoptedWorld

beforeAll(async () => {
  adopted = await openAdopted('bios', checks)
  return async () => adopted.world.close()
})

it('boots the image where GRUB on a BIOS booted Debian, and keeps what is its own', async () => {
  const { world, machine, first } = adopted
  await machine.start()
  await untilSeen(world, [machine], settledOn(first))
  const shown = await machine.shell.run('cat /usr/lib/version /srv/ledger /etc/hostname')
  expect(shown).toBe('1\nkept since before\ntill-1')
})

it('goes from 1 to 2 by a commit', async () => {
  const { world, machine } = adopted
  const second = await world.images.push('2', onAnyMachine(working))
  wantImage(world, second, { checks })
  await untilSeen(world, [machine], settledOn(second))
  expect(await machine.shell.run('cat /usr/lib/version /srv/ledger')).toBe('2\nkept since before')
})
