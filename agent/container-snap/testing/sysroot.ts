import { access, mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'

/**
 * A machine's disk as a loop file: DIR is a mount of the default subvolume, `@var` is mounted at DIR/var. There is no
 * vfat everywhere, so where an ESP is wanted it is a subvolume too, `@efi` at DIR/efi; other file systems are mounted
 * from devices that the caller has.
 */
export type Sysroot = {
  directory: string
  store: string
  mount: () => Promise<void>
  /** Fails where anything is still mounted or open below DIR; can be tried again. */
  unmount: () => Promise<void>
  reboot: () => Promise<void>
  /** Mounts another root than the default, as a boot loader does that falls back. */
  rebootTo: (root: string) => Promise<void>
  close: () => Promise<void>
}

export async function openSysroot(
  sizeMiB = 320,
  own: readonly string[] = ['var'],
  others: Readonly<Record<string, string>> = {},
): Promise<Sysroot> {
  const base = await mkdtemp(join(tmpdir(), 'container-snap-sysroot-'))
  const file = join(base, 'disk.img')
  const directory = join(base, 'root')
  await mkdir(directory)
  await writeFile(file, '')
  await truncate(file, sizeMiB * 1024 * 1024)
  await execa('mkfs.btrfs', ['--quiet', file])
  const device = (await execa('losetup', ['--find', '--show', file])).stdout
  const parts = [
    ...own.map((name) => ({ point: join(directory, name), from: ['-o', `subvol=@${name}`, device] })),
    ...Object.entries(others).map(([name, other]) => ({ point: join(directory, name), from: [other] })),
  ]
  const mountOwn = async (): Promise<void> => {
    for (const { point, from } of parts) await execa('mount', [...from, point])
  }
  const mount = async (...options: readonly string[]): Promise<void> => {
    await execa('mount', [...options, device, directory])
    await mountOwn()
  }
  const unmount = async (): Promise<void> => {
    for (const { point } of parts) await unmountIfMounted(point)
    await execa('umount', [directory])
    await untilGone(device)
  }
  await execa('mount', [device, directory])
  for (const name of own) await execa('btrfs', ['subvolume', 'create', join(directory, `@${name}`)])
  for (const { point } of parts) await mkdir(point)
  await mountOwn()
  return {
    directory,
    store: join(directory, 'var/lib/container-snap'),
    mount: async () => mount(),
    unmount,
    reboot: async () => {
      await unmount()
      await mount()
    },
    rebootTo: async (root) => {
      const shown = (await execa('btrfs', ['subvolume', 'show', root])).stdout
      const id = /^\s*Subvolume ID:\s+(\d+)$/m.exec(shown)?.[1] ?? ''
      await unmount()
      await mount('-o', `subvolid=${id}`)
    },
    close: async () => {
      await execa('umount', ['--recursive', directory], { reject: false })
      await execa('losetup', ['--detach', device])
      await rm(base, { recursive: true, force: true })
    },
  }
}

async function unmountIfMounted(point: string): Promise<void> {
  const mounted = (await execa('findmnt', ['--mountpoint', point], { reject: false })).exitCode === 0
  if (mounted) await execa('umount', [point])
}

/** A program in a mount namespace of its own keeps the file system mounted for as long as it lives: that is no reboot. */
async function untilGone(device: string): Promise<void> {
  const shown = '/sys/fs/btrfs'
  for (const deadlineMs = performance.now() + 60_000; performance.now() < deadlineMs; await delay(20)) {
    const names = await readdir(shown)
    const found = names.map((name) => access(join(shown, name, 'devices', basename(device))))
    if ((await Promise.allSettled(found)).every(({ status }) => status === 'rejected')) return
  }
  throw new Error(`unmounting ${device}: the kernel still has it mounted for another program`)
}
