import { readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approve, lookAt, withMachine } from './testing/adopting.ts'
import { bootNewRoot } from './testing/boots.ts'
import type { TestMachine } from './testing/machine.ts'
import { LAYOUTS } from './testing/machine.ts'
import type { AdoptWorld, Outcome } from './testing/world.ts'
import { openAdoptWorld } from './testing/world.ts'

let world: AdoptWorld
beforeAll(async () => {
  world = await openAdoptWorld(process.env['PATH'] ?? '')
})
afterAll(async () => world.close())

const at = (machine: TestMachine, ...words: string[]): Promise<Outcome> =>
  world.run(...words, '--sysroot', machine.root)

describe('an adoption', () => {
  test('with GRUB has its entries named in custom.cfg, and none on the disk itself when it is undone', async () => {
    await withMachine(LAYOUTS.Fedora, async (machine) => {
      const before = await lookAt(machine)
      await approve(world, machine)
      const custom = join(machine.root, 'boot/grub2/custom.cfg')
      const named = await readFile(custom, 'utf8')
      expect(named).toContain('bootfleet/entries.cfg')
      expect(await readdir(join(machine.root, 'boot/bootfleet'))).toContain('entries.cfg')
      await writeFile(custom, `${named}set mine=1\n`)
      expect(await at(machine, '--undo')).toMatchObject({ status: 0, error: '' })
      const { stdout: disk } = await execa('dumpe2fs', [join(machine.root, '../boot.img')])
      expect(disk).toMatch(/^Journal start: +0$/m)
      // Past the journal, as GRUB reads it.
      const seen = async (what: string): Promise<string> =>
        (await execa('debugfs', ['-R', what, join(machine.root, '../boot.img')])).stdout
      expect(await seen('cat /grub2/custom.cfg')).toBe('set mine=1')
      expect(await seen('ls -p /')).not.toContain('bootfleet')
      await rm(custom)
      expect(await lookAt(machine)).toEqual(before)
    })
  })

  test('is not undone while the files of the boot loader cannot be seen', async () => {
    await withMachine(LAYOUTS.Fedora, async (machine) => {
      await approve(world, machine)
      const made = await machine.subvolumes()
      await execa('umount', [join(machine.root, 'boot')])
      expect((await at(machine, '--undo')).error).toMatch('nothing is mounted at /boot')
      expect(await machine.subvolumes()).toEqual(made)
    })
  })

  test('that is undone in the new root stays so, whatever repairs the store that both roots share', async () => {
    await withMachine(LAYOUTS.openSUSE, async (machine) => {
      await approve(world, machine)
      await bootNewRoot(machine, '@/var/lib/container-snap')
      expect(await at(machine, '--undo')).toMatchObject({ status: 0, error: '' })
      const old = LAYOUTS.openSUSE.subvolumes
      await machine.bootInto(old[0][0], old.slice(1))
      await world.snap('--sysroot', machine.root, 'repair')
      expect(await readdir(join(machine.root, 'efi/loader/entries'))).toEqual(['old-6.1.conf'])
      expect(await at(machine, '--undo')).toMatchObject({ status: 0, error: '' })
    })
  })

  test('is not undone over what the new root wrote, unless that may go', async () => {
    await withMachine(LAYOUTS.Debian, async (machine) => {
      const before = await lookAt(machine)
      await approve(world, machine)
      expect((await at(machine, '--list-etc')).status).toBe(0)
      await bootNewRoot(machine, '@adopted-var/lib/container-snap')
      await machine.write('home/ann/since', 'mine too\n')
      await machine.write('var/lib/app/since', 'state of the new root\n')
      const [root, ...others] = LAYOUTS.Debian.subvolumes
      await machine.bootInto(root[0], others)
      const refused = await at(machine, '--undo')
      expect(refused.error).toMatch('written to @adopted-var, @adopted-home after')
      expect(refused.error).toMatch('--discard-changes')
      expect(await machine.subvolumes()).toContain('@adopted-home')
      expect(await readdir(join(machine.root, 'efi/loader/entries'))).toHaveLength(2)
      expect(await at(machine, '--undo', '--discard-changes')).toMatchObject({ status: 0, error: '' })
      expect(await lookAt(machine)).toEqual(before)
    })
  })

  test('that proved itself is finished, and gc has left the old root alone', async () => {
    await withMachine(LAYOUTS.Debian, async (machine) => {
      await approve(world, machine)
      await bootNewRoot(machine, '@adopted-var/lib/container-snap')
      await world.snap('--sysroot', machine.root, 'bless')
      await world.snap('--sysroot', machine.root, 'gc', '--keep', '0', '--copies')
      expect(await machine.subvolumes()).toContain('@rootfs')
      const finished = await at(machine, '--finish')
      expect(finished.lines[0]).toBe(
        'finished: the old root is the subvolume /@rootfs, and nothing needs it any more, with its /var, /home, /root',
      )
      expect((await at(machine, '--undo')).error).toMatch('was finished')
      const [root, ...others] = LAYOUTS.Debian.subvolumes
      await machine.bootInto(root[0], others)
      expect((await at(machine, '--undo', '--discard-changes')).error).toMatch('was finished')
      expect(await machine.subvolumes()).toContain('@adopted-home')
    })
  })

  test('that is approved again when all is done says what boots next, and what kept it from that', async () => {
    await withMachine(LAYOUTS.Debian, async (machine) => {
      const print = await approve(world, machine)
      const words = ['--approve', print, '--sysroot', machine.root, world.image]
      const again = await world.run(...words)
      expect(again).toMatchObject({ status: 0, error: '' })
      expect(again.lines.join('\n')).toMatch('boots next, on trial; reboot now')
      const entries = join(machine.root, 'efi/loader/entries')
      const [entry = ''] = (await readdir(entries)).filter((name) => name.startsWith('bootfleet-'))
      await rename(join(entries, entry), join(entries, entry.replace(/\+3-0\.conf$/, '+0-3.conf')))
      const fallen = await world.run(...words)
      expect(fallen.status).toBe(1)
      expect(fallen.lines.join('\n')).toMatch(/does not boot next: .* no tries left.*adopt --undo/)
      await bootNewRoot(machine, '@adopted-var/lib/container-snap')
      expect((await world.run(...words)).lines.join('\n')).toMatch('the new root runs: adopt --finish')
    })
  })
})
