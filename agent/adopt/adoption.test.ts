import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approve, fingerprintOf, lookAt, withMachine } from './testing/adopting.ts'
import { bootNewRoot, deployedEtc } from './testing/boots.ts'
import type { Layout, TestMachine } from './testing/machine.ts'
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

/** /var where it is one already, a folder that is copied, a subvolume that nothing mounts, a file system of another kind, a root at the top level. */
const CASES: readonly { readonly layout: Layout; readonly store: string }[] = [
  { layout: LAYOUTS.openSUSE, store: '@/var/lib/container-snap' },
  { layout: LAYOUTS.Debian, store: '@adopted-var/lib/container-snap' },
  {
    layout: { ...LAYOUTS.Debian, name: 'Debian with a subvolume in its root', nested: ['@rootfs/var'] },
    store: '@rootfs/var/lib/container-snap',
  },
  {
    layout: { ...LAYOUTS.Debian, name: 'Debian with a /var of its own', elsewhere: ['var'] },
    store: '@adopted-store/container-snap',
  },
  {
    layout: {
      ...LAYOUTS.Debian,
      name: 'Debian at the top level',
      subvolumes: [
        ['', ''],
        ['@efi', 'efi'],
      ],
      kernelArguments: 'rootflags=subvolid=5',
    },
    store: '@adopted-var/lib/container-snap',
  },
]

describe.each(CASES)('a machine laid out as $layout.name', ({ layout, store }) => {
  test('is adopted, boots the image with what was carried over, and is as it was when that is undone', async () => {
    await withMachine(layout, async (machine) => {
      const before = await lookAt(machine)
      const old = layout.subvolumes
      await approve(world, machine)
      const { fstab, passwd, group, shadow } = await deployedEtc(machine)
      expect(fstab).not.toMatch(/^\S+ \/ /m)
      expect(fstab).not.toContain('swapfile')
      expect(passwd).toBe(
        'root:x:0:0::/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/bin/false\nann:x:1000:1000:Ann:/home/ann:/bin/bash\n',
      )
      expect(group).toBe('root:x:0:\nsudo:x:28:ann\nann:x:1000:\n')
      expect(shadow).toMatch(/^root:\$6\$here:19000:/)

      await bootNewRoot(machine, store)
      await expectNewRoot(machine)
      await machine.bootInto(old[0]?.[0] ?? '', old.slice(1))
      expect(await at(machine, '--undo', '--discard-changes')).toMatchObject({ status: 0, error: '' })
      expect(await lookAt(machine)).toEqual(before)
    })
  })
})

async function expectNewRoot(machine: TestMachine): Promise<void> {
  const file = async (path: string): Promise<string> => readFile(join(machine.root, path), 'utf8')
  expect(await file('usr/bin/tool')).toBe('new\n')
  expect(await file('etc/hostname')).toBe('till-1\n')
  expect(await file('etc/ssh/ssh_host_ed25519_key')).toBe('PRIVATE\n')
  expect(await file('etc/ssh/sshd_config')).toBe('of the image\n')
  expect(await file('etc/systemd/network/10-lan.network')).toBe('[Match]\nName=en*\n')
  expect(await file('home/ann/notes')).toBe('mine\n')
  expect(await file('var/lib/app/state')).toBe('state of the old root\n')
  const listed = await at(machine, '--list-etc')
  expect(listed.lines).toContain('only before sudoers')
  expect(listed.lines).toContain('changed     ssh/sshd_config')
  expect((await at(machine, '--finish')).error).toMatch('has not proven itself')
  const undone = await at(machine, '--undo')
  expect(undone.lines.join('\n')).toMatch('Reboot, and say adopt --undo there again')
}

describe('an adoption', () => {
  test('that is cut off after any step is taken up where it is', async () => {
    await withMachine(LAYOUTS.Debian, async (machine) => {
      const words = ['--approve', await fingerprintOf(world, machine), '--sysroot', machine.root, world.image]
      const steps: string[] = []
      for (;;) {
        const { error } = await world.cutAfter(1, ...words)
        if (error === '') break
        steps.push(error)
      }
      expect(steps).toEqual(STEPS)
      expect(
        (await world.run('--approve', '0'.repeat(64), '--sysroot', machine.root, world.image)).error,
      ).toMatch('is under way')
      await bootNewRoot(machine, '@adopted-var/lib/container-snap')
      expect(await readFile(join(machine.root, 'usr/bin/tool'), 'utf8')).toBe('new\n')
    })
  })

  test('that is cut off after any step can be undone', async () => {
    await withMachine(LAYOUTS.Debian, async (machine) => {
      const before = await lookAt(machine)
      const words = ['--approve', await fingerprintOf(world, machine), '--sysroot', machine.root, world.image]
      for (const step of ['subvolume @adopted-var', ...STEPS.slice(-6)]) {
        const cut = await world.cutAfter(STEPS.indexOf(step) + 1, ...words)
        expect(cut.error).toBe(step)
        expect(await at(machine, '--undo')).toMatchObject({ status: 0, error: '' })
        expect([step, ...(await lookAt(machine))]).toEqual([step, ...before])
      }
    })
  })

  test('is not begun on facts that are others than those approved, nor where it is refused', async () => {
    await withMachine(LAYOUTS.Debian, async (machine) => {
      const print = await fingerprintOf(world, machine)
      await machine.write('etc/passwd', 'bob:x:1001:1001::/home/bob:/bin/sh\n')
      const words = ['--approve', print, '--sysroot', machine.root, world.image]
      expect((await world.run(...words)).error).toMatch('look at it again with --dry-run')
      await machine.write('etc/selinux/config', 'SELINUX=enforcing\n')
      const refused = await world.run(...words)
      expect(refused.status).toBe(1)
      expect(refused.lines.join('\n')).toContain('(selinux-enforcing)')
      expect((await at(machine, '--undo')).error).toMatch('nothing was adopted here')
      expect((await at(machine, '--finish')).error).toMatch('nothing was adopted here')
      expect((await at(machine, '--list-etc')).error).toMatch('no adoption has come as far')
    })
  })
})

const STEPS = [
  'subvolume @adopted-var',
  'subvolume @adopted-home',
  'subvolume @adopted-root',
  'subvolume @adopted-srv',
  'subvolume @adopted-opt',
  'subvolume @adopted-usr-local',
  'etc kept',
  'machine described',
  'image pulled',
  'deployed',
  'loader settled',
  'activated',
]
