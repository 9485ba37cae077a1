import { relative, resolve, sep } from 'node:path'
import { realpath, stat } from 'node:fs/promises'
import type { Context } from '../context.ts'
import type { Subvolume } from './btrfs.ts'
import { defaultSubvolumeId, listReadonlyIds, listSubvolumes } from './btrfs.ts'
import type { StoredImages } from './images.ts'
import { readStoredImages } from './images.ts'
import type { Mount } from './mounts.ts'
import { readMounts, subvolumeIdMountedAt } from './mounts.ts'
import type { StorePaths } from './paths.ts'

/** A subvolume of the store; `name` is `<layer>` or `<layer>-workN`. */
export type StoreSubvolume = { name: string; id: number; uuid: string; readonly: boolean }

/** What is really there, as opposed to what the ledger says. */
export type Inventory = {
  stored: StoredImages
  subvolumes: readonly StoreSubvolume[]
  /** Null where DIR is no btrfs subvolume: an overlay, for example. */
  currentId: number | null
  defaultId: number
}

export async function readInventory(context: Context): Promise<Inventory> {
  const { paths } = context
  const at = await existing(paths.subvolumes, paths.base)
  const [stored, all, readonlyIds, prefixes] = await Promise.all([
    readStoredImages(paths),
    listSubvolumes(context, at),
    listReadonlyIds(context, at),
    storePrefixes(paths),
  ])
  const currentId = await subvolumeIdMountedAt(paths.sysroot)
  const defaultId = await defaultSubvolumeId(context)
  const subvolumes = all.flatMap((subvolume) => {
    const name = nameInStore(subvolume, prefixes)
    if (name === null) return []
    return [{ name, id: subvolume.id, uuid: subvolume.uuid, readonly: readonlyIds.has(subvolume.id) }]
  })
  return { stored, subvolumes, currentId, defaultId }
}

async function existing(wanted: string, fallback: string): Promise<string> {
  try {
    await stat(wanted)
    return wanted
  } catch {
    return fallback
  }
}

function nameInStore(subvolume: Subvolume, prefixes: readonly string[]): string | null {
  for (const prefix of prefixes) {
    if (!subvolume.path.startsWith(`${prefix}/`)) continue
    const name = subvolume.path.slice(prefix.length + 1)
    return name.includes('/') ? null : name
  }
  return null
}

/** The store's folder as `btrfs subvolume list` may write it: from the top level, or from the mount. */
async function storePrefixes(paths: StorePaths): Promise<[fromTop: string, inMount: string]> {
  const base = await realpath(paths.base)
  const mount = mountHolding(await readMounts(), base)
  const inMount = resolve(
    '/',
    relative(mount?.mountPoint ?? '/', base),
    relative(paths.base, paths.subvolumes),
  )
  const fromTop = resolve('/', `.${mount?.root ?? '/'}`, `.${inMount}`)
  return [fromTop.slice(1), inMount.slice(1)]
}

/** As `rootflags=subvol=` wants it: the store's folder from the top level of its file system. */
export async function storeFromTopLevel(paths: StorePaths): Promise<string> {
  return (await storePrefixes(paths))[0]
}

export function mountHolding(mounts: readonly Mount[], path: string): Mount | undefined {
  const holds = (mount: Mount): boolean =>
    path === mount.mountPoint || path.startsWith(mount.mountPoint === sep ? sep : `${mount.mountPoint}${sep}`)
  const longest = Math.max(...mounts.filter(holds).map((mount) => mount.mountPoint.length))
  return mounts.findLast((mount) => holds(mount) && mount.mountPoint.length === longest)
}

/** Every subvolume below the store's folder; the name of one inside another has slashes. */
export async function listBelowStore(
  context: Context,
): Promise<{ name: string; id: number; uuid: string }[]> {
  const { paths } = context
  const prefixes = await storePrefixes(paths)
  const all = await listSubvolumes(context, await existing(paths.subvolumes, paths.base))
  return all.flatMap(({ path, id, uuid }) => {
    const prefix = prefixes.find((one) => path.startsWith(`${one}/`))
    return prefix === undefined ? [] : [{ name: path.slice(prefix.length + 1), id, uuid }]
  })
}
