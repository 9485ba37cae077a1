import { beforeAll, expect, it } from 'vitest'
import { openAdopted } from '../support/vm/adopted.ts'
import type { AdoptedWorld } from '../support/vm/adopted.ts'
import { rolledBackFrom, settledOn, untilSeen, wantImage } from '../support/vm/fleet.ts'
import { broken, onAnyMachine } from '../support/vm/versions.ts'

const checks = ['web-up']
let adopted: AdoptedWorld

beforeAll(async () => {
  adopted = await openAdopted('uefi', checks)
  return async () => adopted.world.close()
})

it('boots the image where GRUB on UEFI booted Debian', async () => {
  const { world, machine, first } = adopted
  await machine.start()
  await untilSeen(world, [machine], settledOn(first))
  expect(await machine.shell.run('cat /usr/lib/version')).toBe('1')
})

it('comes back from an image whose kernel cannot find its root, after three tries that GRUB counts', async () => {
  const { world, machine, first } = adopted
  const before = await machine.boots()
  const digest = await world.images.push('2-no-root', onAnyMachine(broken.kernelWithoutRoot))
  wantImage(world, digest, { checks })
  const { hosts } = await untilSeen(world, [machine], rolledBackFrom(digest, first))
  expect(await machine.shell.run('cat /usr/lib/version')).toBe('1')
  expect(hosts[0]?.deniedDigests).toContain(digest)
  expect((await machine.boots()) - before).toBe(4)
})
