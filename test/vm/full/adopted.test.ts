import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openAdopted } from '../../support/vm/adopted.ts'
import { rolledBackFrom, settledOn, untilSeen, wantImage } from '../../support/vm/fleet.ts'
import type { Files } from '../../support/vm/host-images.ts'
import { text } from '../../support/vm/host-images.ts'
import { broken, onAnyMachine, working } from '../../support/vm/versions.ts'
import type { DebianMachine, World } from '../../support/vm/world.ts'

const checks = ['web-up']
const store = '/var/lib/container-snap/snapshots/btrfs/subvolumes'

/** With GRUB, on a disk as Debian's installer lays it out. */
describe.each(['bios', 'uefi'] as const)('an adopted machine on %s', (firmware) => {
  let world: World
  let machine: DebianMachine
  let runs: string

  beforeAll(async () => {
    ;({ world, machine, first: runs } = await openAdopted(firmware, checks))
    await machine.start()
    await untilSeen(world, [machine], settledOn(runs))
  })
  afterAll(async () => world.close())

  const version = async (): Promise<string> => (await machine.shell.run('cat /usr/lib/version')).trim()
  const push = async (name: string, files: Files): Promise<string> =>
    world.images.push(name, onAnyMachine(files))

  it('goes from 1 to 2 by a commit', async () => {
    runs = await push('2', working)
    wantImage(world, runs, { checks })
    await untilSeen(world, [machine], settledOn(runs))
    expect(await version()).toBe('2')
    expect(await machine.shell.run('cat /srv/ledger')).toBe('kept since before')
  })

  it.each([
    {
      how: 'whose kernel cannot find its root',
      name: '3-no-root',
      files: broken.kernelWithoutRoot,
      boots: 4,
      health: '3m',
    },
    { how: 'whose kernel panics', name: '4-panic', files: broken.kernelPanics, boots: 4, health: '3m' },
    {
      how: 'whose health check fails',
      name: '5-unhealthy',
      files: broken.checkFails,
      boots: 2,
      health: '40s',
    },
  ])('comes back from an image $how', async ({ name, files, boots, health }) => {
    const before = await machine.boots()
    const digest = await push(name, files)
    wantImage(world, digest, { checks, health })
    const { hosts } = await untilSeen(world, [machine], rolledBackFrom(digest, runs))
    expect(await version()).toBe('2')
    expect(hosts[0]?.deniedDigests).toContain(digest)
    expect((await machine.boots()) - before).toBe(boots)
  })

  it.each([
    ['as the copy is made', '6-cut', `ls -d ${store}/*-work* | wc -l`],
    ['as the entry is written', '7-cut', 'cksum </boot/bootfleet/entries.cfg'],
  ])('ends on the new version when the power is cut in the staging, %s', async (_when, name, look) => {
    const before = (await machine.shell.run(look)).trim()
    // Noise, so that the layer takes its time.
    const noise = Array.from({ length: 40_000 }, () => Math.random().toString(36)).join('\n')
    runs = await push(name, { ...working, 'usr/share/noise': text(noise) })
    wantImage(world, runs, { checks })
    await machine.shell.run(`until [ "$(${look})" != "${before}" ]; do sleep 0.05; done`, 600_000)
    await machine.cutPower()
    await machine.start()
    await untilSeen(world, [machine], settledOn(runs))
    expect(await version()).toBe(name)
  })
})
