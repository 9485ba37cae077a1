import { readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { SnapError } from '../errors.ts'
import { mountHolding } from '../store/inventory.ts'
import type { Mount } from '../store/mounts.ts'
import { readMounts } from '../store/mounts.ts'

/** Where our files for GRUB are, as GRUB sees it. */
export type GrubPlace = {
  /** GRUB's module for the file system. */
  module: string
  /** The folder's path from the top of its file system, without a slash at its end. */
  prefix: string
  /** Null where GRUB can write there; else why not. */
  unwritable: string | null
}

const modules: Readonly<Record<string, string>> = {
  ext2: 'ext2',
  ext3: 'ext2',
  ext4: 'ext2',
  vfat: 'fat',
  xfs: 'xfs',
  btrfs: 'btrfs',
}

/** @throws SnapError storage-failed where the folder is not there. */
export async function inspectGrubPlace(directory: string): Promise<GrubPlace> {
  const mount = await mountOf(await readMounts(), directory)
  const inMount = relative(mount.mountPoint, await realpath(directory))
  const path = join(mount.root, inMount)
  return {
    module: modules[mount.fileSystem] ?? mount.fileSystem,
    prefix: path === '/' ? '' : path.replace(/\/$/, ''),
    unwritable: await whyUnwritable(mount),
  }
}

export async function mountOf(mounts: readonly Mount[], directory: string): Promise<Mount> {
  const path = await realpath(directory).catch((error: NodeJS.ErrnoException) => {
    throw new SnapError(
      'storage-failed',
      `open GRUB's folder ${directory}: ${error.message}; mount its file system, or name its place in ` +
        'machine.json, loader.boot',
      { cause: error },
    )
  })
  const mount = mountHolding(mounts, path)
  if (mount === undefined)
    throw new SnapError('storage-failed', `open GRUB's folder ${path}: nothing is mounted`)
  return mount
}

/** GRUB's save_env writes to the blocks that a file has, on file systems and devices where that is enough. */
async function whyUnwritable({ fileSystem, source, mountPoint }: Mount): Promise<string | null> {
  const where = `${mountPoint} is ${fileSystem}`
  if (fileSystem === 'btrfs') return `${where}, to which GRUB cannot write`
  if (modules[fileSystem] === undefined) return `${where}, which GRUB does not know or cannot write to`
  const device = await stat(source).catch(() => null)
  if (device === null || !device.isBlockDevice()) return `${where} on ${source}, which is no block device`
  const layer = await layerOf(device.rdev)
  return layer === null ? null : `${where} on ${source}, which is ${layer}: GRUB can only read there`
}

/** What stands between a block device and the disk that the firmware shows to GRUB. */
async function layerOf(deviceNumber: number): Promise<string | null> {
  const [major, minor] = [
    (deviceNumber >> 8) & 0xfff,
    (deviceNumber & 0xff) | ((deviceNumber >> 12) & 0xfff00),
  ]
  const device = await realpath(`/sys/dev/block/${major}:${minor}`)
  const isPartition = await stat(join(device, 'partition')).then(
    () => true,
    () => false,
  )
  const disk = isPartition ? dirname(device) : device
  const name = basename(disk)
  if (name.startsWith('md')) return 'RAID'
  if (name.startsWith('bcache')) return 'bcache'
  if (!name.startsWith('dm-')) return null
  const uuid = (await readFile(join(disk, 'dm/uuid'), 'utf8').catch(() => '')).trim()
  if (/^(part[0-9]+-)?mpath-/.test(uuid)) return null
  if (uuid.startsWith('LVM-')) return 'LVM'
  return uuid.startsWith('CRYPT-') ? 'encrypted' : 'made by the device mapper'
}
