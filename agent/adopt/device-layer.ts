import { readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * What stands between a file system's device and the disk that the firmware shows to GRUB, so that GRUB can only read
 * there; null where nothing does. container-snap asks the same when it deploys.
 */
export async function layerUnder(source: string): Promise<string | null> {
  const device = await stat(source).catch(() => null)
  if (device === null || !device.isBlockDevice()) return 'no block device'
  const minor = (device.rdev & 0xff) | ((device.rdev >> 12) & 0xfff00)
  return layerOf(await realpath(`/sys/dev/block/${(device.rdev >> 8) & 0xfff}:${minor}`))
}

/** `device`: its folder in /sys/devices. */
export async function layerOf(device: string): Promise<string | null> {
  const isPartition = await stat(join(device, 'partition')).then(
    () => true,
    () => false,
  )
  const disk = isPartition ? dirname(device) : device
  const name = basename(disk)
  if (name.startsWith('md')) return 'RAID'
  if (name.startsWith('bcache')) return 'bcache'
  if (!name.startsWith('dm-')) return null
  const uuid = await readFile(join(disk, 'dm/uuid'), 'utf8').catch(() => '')
  if (/^(part[0-9]+-)?mpath-/.test(uuid)) return null
  if (uuid.startsWith('LVM-')) return 'LVM'
  return uuid.startsWith('CRYPT-') ? 'encryption (LUKS)' : 'the device mapper'
}
