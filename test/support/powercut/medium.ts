import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'

/** A btrfs that holds disk files, so that a disk can be copied in one instant while it is written to. */
export type Medium = {
  directory: string
  /**
   * What a power cut now would leave of `file`: all that was issued to the disk, nothing of what is only in the
   * page cache of the file system on it. Takes some tens of milliseconds and reads nothing.
   */
  cut: (file: string, name: string) => Promise<string>
  close: () => Promise<void>
}

export async function openMedium(sizeMiB: number): Promise<Medium> {
  const base = await mkdtemp(join(tmpdir(), 'bootfleet-powercut-'))
  const image = join(base, 'medium.img')
  const directory = join(base, 'medium')
  await mkdir(directory)
  await writeFile(image, '')
  await truncate(image, sizeMiB * 1024 * 1024)
  await execa('mkfs.btrfs', ['--quiet', image])
  const device = (await execa('losetup', ['--find', '--show', image])).stdout
  await execa('mount', [device, directory])
  return {
    directory,
    cut: async (file, name) => {
      const copy = join(directory, name)
      await execa('cp', ['--reflink=always', file, copy])
      return copy
    },
    close: async () => {
      await execa('umount', ['--recursive', directory])
      await execa('losetup', ['--detach', device])
      await rm(base, { recursive: true, force: true })
    },
  }
}

export async function makeDisk(file: string, sizeMiB: number): Promise<void> {
  await writeFile(file, '')
  await truncate(file, sizeMiB * 1024 * 1024)
  await execa('mkfs.btrfs', ['--quiet', file])
}

/** A disk as a machine has it: one subvolume as its root, `@var` at var. */
export type Attached = {
  device: string
  root: string
  mount: (subvolume: string | null) => Promise<void>
  detach: () => Promise<void>
}

export async function attach(file: string, root: string): Promise<Attached> {
  await mkdir(root, { recursive: true })
  const device = (await execa('losetup', ['--find', '--show', file])).stdout
  const at = (target: string, option: string | null): Promise<unknown> =>
    // A long commit interval: nothing gets to the disk by itself that was not synced.
    execa('mount', ['-o', ['commit=300', ...(option === null ? [] : [option])].join(','), device, target])
  const unmount = async (): Promise<void> => {
    await execa('umount', ['--recursive', root], { reject: false })
  }
  return {
    device,
    root,
    mount: async (subvolume) => {
      await unmount()
      await at(root, subvolume === null ? null : `subvol=${subvolume}`)
      await at(join(root, 'var'), 'subvol=@var')
    },
    detach: async () => {
      await unmount()
      await execa('losetup', ['--detach', device])
    },
  }
}
