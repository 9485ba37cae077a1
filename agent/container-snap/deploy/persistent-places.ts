import { chmod, lstat, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { resolveInside } from '../boot/inside-root.ts'
import type { Context } from '../context.ts'
import { run } from '../exec.ts'
import { syncFileSystem } from '../store/btrfs.ts'
import { readMounts } from '../store/mounts.ts'

type Place = { path: string; inVar: string; mode: number }

/** What stays when the root changes, and where ostree and bootc keep it: /var is the machine's anyway. */
const places: readonly Place[] = [
  { path: 'home', inVar: 'home', mode: 0o755 },
  { path: 'root', inVar: 'roothome', mode: 0o700 },
  { path: 'srv', inVar: 'srv', mode: 0o755 },
  { path: 'opt', inVar: 'opt', mode: 0o755 },
  { path: 'usr/local', inVar: 'usrlocal', mode: 0o755 },
]

/**
 * Sees to it that /home, /root, /srv, /opt and /usr/local of a new deployment are the machine's: a folder to mount on
 * where the machine mounts its own there, else a link into /var. An image's own link stays, and so does a folder in
 * which it ships files, which `lint` refuses. Can be cut off and done again.
 */
export async function placePersistent(context: Context, root: string): Promise<void> {
  const mounted = await mountedPlaces(context, root)
  for (const place of places) {
    const here = join(root, place.path)
    const found = await lstat(here).catch(() => null)
    if (found?.isSymbolicLink()) continue
    if (mounted.has(`/${place.path}`)) {
      if (found === null) await mkdir(here, { recursive: true, mode: place.mode })
    } else if (found === null || (found.isDirectory() && !(await shipsData(here)))) {
      await linkIntoVar(context, root, place)
    } else {
      context.warn(`the image ships files in /${place.path}, so it is not the machine's there; see lint`)
    }
  }
}

/** By its fstab, which is in the new /etc by now, or by anything else that mounts it while this runs. */
async function mountedPlaces({ paths }: Context, root: string): Promise<ReadonlySet<string>> {
  const fstab = await readFile(join(root, 'etc/fstab'), 'utf8').catch(() => '')
  const named = fstab
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([device = '', at = '']) =>
      device === '' || device.startsWith('#') ? [] : [at.replace(/\/+$/, '')],
    )
  const now = (await readMounts()).flatMap(({ mountPoint }) => {
    const inside = relative(paths.sysroot, mountPoint)
    return inside.startsWith('..') ? [] : [`/${inside}`]
  })
  return new Set([...named, ...now])
}

/** Folders and dotfiles are the skeleton of an empty home or of /usr/local; links there belong to it. */
async function shipsData(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true })
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.isSymbolicLink()) continue
    if (!entry.isDirectory() || (await shipsData(join(folder, entry.name)))) return true
  }
  return false
}

/** What is there first: of the root that runs, where nobody kept it yet, else the skeleton of the image. */
async function linkIntoVar(context: Context, root: string, { path, inVar, mode }: Place): Promise<void> {
  const { sysroot } = context.paths
  const kept = join(sysroot, 'var', inVar)
  if ((await lstat(kept).catch(() => null)) === null) {
    const fresh = `${kept}.new`
    await rm(fresh, { recursive: true, force: true })
    const source = await firstFilled([join(sysroot, path), join(root, path)])
    if (source === null) {
      await mkdir(fresh, { mode })
      await chmod(fresh, mode)
    } else {
      await run(['cp', '--archive', '--reflink=auto', '--no-target-directory', source, fresh], {
        signal: context.signal,
        attempt: `copy ${source} to ${kept}`,
      })
    }
    await syncFileSystem(context, fresh)
    await rename(fresh, kept)
  }
  const here = join(root, path)
  await rm(here, { recursive: true, force: true })
  const parent = (await resolveInside(root, dirname(path))) ?? join(root, dirname(path))
  await mkdir(parent, { recursive: true })
  await symlink(join(relative(`/${dirname(path)}`, '/'), 'var', inVar), here)
}

async function firstFilled(folders: readonly string[]): Promise<string | null> {
  for (const folder of folders) {
    const found = await lstat(folder).catch(() => null)
    if (found?.isDirectory() && (await readdir(folder)).length > 0) return folder
  }
  return null
}
