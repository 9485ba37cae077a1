import { chmod, lstat, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { run } from '../exec.ts'
import type { PersistentFolder } from './filesystem.ts'
import { persistent } from './filesystem.ts'
import type { Geometry } from './geometry.ts'
import { place } from './material.ts'

/**
 * Fills the persistent subvolumes with what the image ships at their places (`/root`'s dotfiles, `/var/lib`), for
 * later nobody would see it below the mount. Returns those that the machine shall mount: an image that has a link
 * there, /home to /var/home for example, has decided otherwise.
 */
export async function fillPersistent(
  context: Context,
  root: string,
  mountPoint: string,
): Promise<PersistentFolder[]> {
  const mounted: PersistentFolder[] = []
  for (const folder of persistent) {
    const source = join(root, folder.path)
    const found = await lstat(source).catch(() => null)
    if (found?.isSymbolicLink()) continue
    mounted.push(folder)
    // A place to mount on, where the image has none.
    if (found === null)
      await mkdir(source, { recursive: true, mode: folder.path === '/root' ? 0o700 : 0o755 })
    const target = join(mountPoint, folder.subvolume)
    await run(['cp', '--archive', '--reflink=auto', '--no-target-directory', source, target], {
      signal: context.signal,
      attempt: `copy ${folder.path} of the image into ${folder.subvolume}`,
    })
  }
  // The image may have a folder of that name with a mode of its own.
  await chmod(context.paths.base, 0o700)
  return mounted
}

/** What a deployment must have in its /etc to be this machine, and what must not be the same in two machines. */
export async function writeMachineFiles(
  root: string,
  geometry: Geometry,
  mounted: readonly PersistentFolder[],
): Promise<void> {
  const shipped = await readFile(join(root, 'etc/fstab'), 'utf8').catch(() => '')
  await place(root, 'etc/fstab', { text: fstab(geometry, mounted, shipped), mode: 0o644 })
  const machineId = await readFile(join(root, 'etc/machine-id'), 'utf8').catch(() => '')
  // Empty, the machine makes its own at its first boot; `uninitialized` is an image's wish for a first boot with presets.
  if (machineId.trim() !== 'uninitialized') await place(root, 'etc/machine-id', { text: '', mode: 0o444 })
}

/**
 * It is the root's own file system, so the device is there; a machine whose udev is slow to say so would end in
 * emergency mode after systemd's 90 s, and its first boot, which nobody counts, would wait there for a person.
 */
const patience = 'x-systemd.device-timeout=15min'

/** The root itself has no line: the boot entry says which deployment it is. */
export function fstab(geometry: Geometry, folders: readonly PersistentFolder[], shipped: string): string {
  const { fileSystemUuid, esp } = geometry
  const subvolumes = folders.map(
    ({ path, subvolume }) => `UUID=${fileSystemUuid} ${path} btrfs subvol=${subvolume},${patience} 0 0`,
  )
  // Mounted only while it is needed, for FAT has no journal.
  const espOptions = 'umask=0077,flush,noauto,x-systemd.automount,x-systemd.idle-timeout=1min'
  const espLine = `PARTUUID=${esp.uuid} ${espMountPoint} vfat ${espOptions} 0 2`
  return `${[...subvolumes, espLine, ...otherLines(shipped)].join('\n')}\n`
}

export const espMountPoint = '/efi'

/** What the image mounts elsewhere, a tmpfs at /tmp for example. */
function otherLines(shipped: string): string[] {
  const ours: readonly string[] = [
    '/',
    '/boot',
    '/boot/efi',
    espMountPoint,
    ...persistent.map(({ path }) => path),
  ]
  return shipped.split('\n').filter((line) => {
    const [device = '', at = ''] = line.trim().split(/\s+/)
    return device !== '' && !device.startsWith('#') && !ours.includes(at)
  })
}
