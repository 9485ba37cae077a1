import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { mountHolding } from './inventory.ts'
import { readMounts } from './mounts.ts'
import type { StorePaths } from './paths.ts'
import { bootId } from './readiness.ts'

/**
 * Names the boot that is now: the kernel's, and for a disk that is mounted elsewhere its mount, for to unmount and
 * mount it is what a reboot is there. A mount's id and device number are given out again at once; the inode of what
 * sysfs shows of the file system is not.
 */
export async function bootIdentity(paths: StorePaths): Promise<string> {
  const kernel = await bootId()
  return paths.sysroot === '/' ? kernel : `${kernel}+${await mountIdentity(paths.sysroot)}`
}

async function mountIdentity(directory: string): Promise<string> {
  const mount = mountHolding(await readMounts(), await realpath(directory))
  const device = basename(await realpath(mount?.source ?? '').catch(() => ''))
  const shown = '/sys/fs/btrfs'
  for (const name of device === '' ? [] : await readdir(shown).catch(() => [])) {
    const found = await stat(join(shown, name, 'devices', device)).catch(() => null)
    if (found !== null) return String((await stat(join(shown, name))).ino)
  }
  return 'unknown'
}
