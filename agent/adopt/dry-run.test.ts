import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Preflight } from './preflight.ts'
import type { Layout } from './testing/machine.ts'
import { LAYOUTS, openTestMachine } from './testing/machine.ts'
import type { AdoptWorld } from './testing/world.ts'
import { openAdoptWorld } from './testing/world.ts'

describe('adopt --dry-run', () => {
  let world: AdoptWorld
  beforeAll(async () => {
    world = await openAdoptWorld(process.env['PATH'] ?? '')
  })
  afterAll(async () => world.close())

  async function look(layout: Layout): Promise<{ status: number; result: Preflight }> {
    const machine = await openTestMachine(layout)
    try {
      const before = await treeOf(machine.root)
      const { status, lines, error } = await world.run(
        '--dry-run',
        '--json',
        '--sysroot',
        machine.root,
        world.image,
      )
      expect(error).toBe('')
      expect(await treeOf(machine.root)).toBe(before)
      return { status, result: JSON.parse(lines[0] ?? '') as Preflight }
    } finally {
      await machine.close()
    }
  }

  /** Every file with its times, and every subvolume. */
  async function treeOf(root: string): Promise<string> {
    const { stdout } = await execa('find', [root, '-printf', '%P %y %m %s %T@ %l\n'], { reject: false })
    const subvolumes = await execa('btrfs', ['subvolume', 'list', '-u', root])
    return `${stdout}\n${subvolumes.stdout.replaceAll(/ gen \d+/g, '')}`
  }

  const said = ({ findings }: Preflight): readonly string[] =>
    findings.map((finding) =>
      finding.kind === 'refuse' ? `refuse ${finding.code}` : `${finding.kind} ${finding.found}`,
    )

  test("openSUSE's layout is taken as it is", async () => {
    const { status, result } = await look(LAYOUTS.openSUSE)
    expect(status).toBe(0)
    expect(result.image).toBe(`${world.image.replace(/:1$/, '')}@${world.digest}`)
    expect(said(result)).toEqual([
      'ok openSUSE Linux 1, started by UEFI',
      'ok the root is the subvolume /@/.snapshots/1/snapshot',
      'ok the kernel was told which subvolume its root is, so the old root can be booted whatever the default is',
      'convert kernel arguments of this machine: console=ttyS0',
      'note other kernel arguments: splash=silent quiet',
      'ok systemd-boot, which reads /efi',
      'convert /efi/loader/loader.conf has "default old-*"',
      'ok /var is the subvolume /@/var, and stays so',
      'ok /home is the subvolume /@/home, and stays so',
      'ok /root is the subvolume /@/root, and stays so',
      'ok /srv is the subvolume /@/srv, and stays so',
      'ok /opt is the subvolume /@/opt, and stays so',
      'ok /usr/local is the subvolume /@/usr/local, and stays so',
      'ok there is room for the image',
      'note apt-daily-upgrade.timer is enabled',
    ])
    expect(result.left).toEqual([
      'all else in /etc (kept in /var/lib/bootfleet/adopted-etc; `adopt --list-etc` compares), all packages',
      'the line of /.snapshots in /etc/fstab: snapper is not carried over',
      'the line of none in /etc/fstab: /swapfile is in the old root',
      '/data: it lies in the root; move it to /srv or /var before',
    ])
  })

  test('a store that was made by asking container-snap is none, and one with anything in it stands in the way', async () => {
    const machine = await openTestMachine(LAYOUTS.openSUSE)
    try {
      const lookAgain = async (): Promise<readonly string[]> => {
        const { lines } = await world.run('--dry-run', '--json', '--sysroot', machine.root, world.image)
        return said(JSON.parse(lines[0] ?? '') as Preflight)
      }
      await world.snap('--sysroot', machine.root, 'list-images')
      expect(await lookAgain()).not.toContain('refuse store-there')
      await machine.write('var/lib/container-snap/snapshots/btrfs-images/images.json', '[]')
      expect(await lookAgain()).toContain('refuse store-there')
    } finally {
      await machine.close()
    }
  })

  test("Fedora's layout is taken with GRUB, whose /boot is ext4", async () => {
    const { status, result } = await look(LAYOUTS.Fedora)
    expect(status).toBe(0)
    expect(said(result)).toEqual(
      expect.arrayContaining([
        'ok the root is the subvolume /root',
        'ok GRUB, configured in /boot/grub2; tries are counted in /boot',
        'convert /var is a folder of the root',
        'ok /home is the subvolume /home, and stays so',
        'convert there is no /srv',
      ]),
    )
  })

  test("Debian's layout is taken with systemd-boot, and refused with GRUB, which cannot count tries on btrfs", async () => {
    const { status, result } = await look(LAYOUTS.Debian)
    expect(status).toBe(0)
    expect(said(result)).toEqual(
      expect.arrayContaining([
        'ok the root is the subvolume /@rootfs',
        'convert /var is a folder of the root',
      ]),
    )
    const grub = await look({ ...LAYOUTS.Debian, subvolumes: [['@rootfs', '']], loader: 'grub' })
    expect(grub.status).toBe(1)
    expect(said(grub.result)).toContain('refuse tries-without-place')
  })

  test('a root at the top level is refused until its kernel is told so', async () => {
    const top: Layout = {
      ...LAYOUTS.Debian,
      subvolumes: [
        ['', ''],
        ['@efi', 'efi'],
      ],
      kernelArguments: 'quiet',
    }
    const refused = await look(top)
    expect(refused.status).toBe(1)
    expect(said(refused.result)).toContain('refuse root-follows-default')
    const told = await look({ ...top, kernelArguments: 'rootflags=subvolid=5' })
    expect(told.status).toBe(0)
    expect(said(told.result)).toContain('ok the root is the top level of its btrfs')
  })

  test('what is no machine, and no image, is said to be none', async () => {
    expect((await world.run('--dry-run', '--sysroot', '/nowhere/at/all', world.image)).error).toMatch(
      'ENOENT',
    )
    expect((await world.run('--dry-run', 'Not an image')).error).toMatch('HOST/NAME:TAG')
    expect((await world.run('--dry-run')).error).toMatch('an image where it needs one')
  })
})
