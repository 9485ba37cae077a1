import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'

/** A machine's disk as a loop file: DIR is a mount of the default subvolume, `@var` is mounted at DIR/var. */
export type Sysroot = {
  directory: string
  store: string
  mount: () => Promise<void>
  /** Fails where anything is still mounted or open below DIR; can be tried again. */
  unmount: () => Promise<void>
  reboot: () => Promise<void>
  close: () => Promise<void>
}

export async function openSysroot(sizeMiB = 320): Promise<Sysroot> {
  const base = await mkdtemp(join(tmpdir(), 'container-snap-sysroot-'))
  const file = join(base, 'disk.img')
  const directory = join(base, 'root')
  await mkdir(directory)
  await writeFile(file, '')
  await truncate(file, sizeMiB * 1024 * 1024)
  await execa('mkfs.btrfs', ['--quiet', file])
  const device = (await execa('losetup', ['--find', '--show', file])).stdout
  const mount = async (): Promise<void> => {
    await execa('mount', [device, directory])
    await execa('mount', ['-o', 'subvol=@var', device, join(directory, 'var')])
  }
  const unmount = async (): Promise<void> => {
    const mounted =
      (await execa('findmnt', ['--mountpoint', join(directory, 'var')], { reject: false })).exitCode === 0
    if (mounted) await execa('umount', [join(directory, 'var')])
    await execa('umount', [directory])
  }
  await execa('mount', [device, directory])
  await execa('btrfs', ['subvolume', 'create', join(directory, '@var')])
  await mkdir(join(directory, 'var'))
  await execa('mount', ['-o', 'subvol=@var', device, join(directory, 'var')])
  return {
    directory,
    store: join(directory, 'var/lib/container-snap'),
    mount,
    unmount,
    reboot: async () => {
      await unmount()
      await mount()
    },
    close: async () => {
      await execa('umount', ['--recursive', directory], { reject: false })
      await execa('losetup', ['--detach', device])
      await rm(base, { recursive: true, force: true })
    },
  }
}
