import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FolderFacts } from './facts.ts'
import { PERSISTENT } from './facts.ts'
import type { Mounted } from './mounts.ts'

/** Inode number of the root of every btrfs subvolume. */
const SUBVOLUME_INODE = 256

export async function gatherFolders(
  sysroot: string,
  mounts: readonly Mounted[],
  root: Mounted,
): Promise<readonly FolderFacts[]> {
  const found: FolderFacts[] = []
  for (const { path } of PERSISTENT) found.push(await lookAt(sysroot, mounts, { root, path }))
  return found
}

async function lookAt(
  sysroot: string,
  mounts: readonly Mounted[],
  { root, path }: { readonly root: Mounted; readonly path: string },
): Promise<FolderFacts> {
  const mounted = mounts.find(({ at }) => at === path)
  if (mounted !== undefined) {
    const isOurs = mounted.type === 'btrfs' && mounted.source === root.source
    return { path, found: isOurs ? 'mounted' : 'elsewhere', subvolume: isOurs ? mounted.root : null }
  }
  const there = await lstat(join(sysroot, path)).catch(() => null)
  if (there === null) return { path, found: 'missing', subvolume: null }
  if (there.isSymbolicLink()) return { path, found: 'link', subvolume: null }
  if (root.type === 'btrfs' && there.ino === SUBVOLUME_INODE)
    return { path, found: 'nested', subvolume: join(root.root, path) }
  return { path, found: 'folder', subvolume: null }
}

/** Of the file hierarchy standard and of what systems put beside it; what is in them is the system's. */
const USUAL =
  /^(bin|boot|dev|efi|etc|lib|lib32|lib64|libx32|lost\+found|mnt|media|proc|run|sbin|selinux|sys|tmp|usr|var|home|root|srv|opt|afs|\.snapshots|\.autorelabel|@adopted-.*)$/

/** What lies in the root itself and is nobody's: folders with something in them, and files. */
export async function gatherOutside(sysroot: string, mounts: readonly Mounted[]): Promise<readonly string[]> {
  const outside: string[] = []
  const look = async (folder: string, isUsual: (name: string) => boolean): Promise<void> => {
    for (const name of await readdir(join(sysroot, folder)).catch(() => [])) {
      const path = join(folder, name)
      if (isUsual(name) || mounts.some(({ at }) => at === path)) continue
      const there = await lstat(join(sysroot, path))
      const isEmpty = there.isDirectory() && (await readdir(join(sysroot, path))).length === 0
      const isSubvolume = there.isDirectory() && there.ino === SUBVOLUME_INODE
      if (!isEmpty && !isSubvolume && !there.isSymbolicLink()) outside.push(path)
    }
  }
  await look('/', (name) => USUAL.test(name))
  for (const folder of ['/mnt', '/media'])
    if (!mounts.some(({ at }) => at === folder)) await look(folder, () => false)
  return outside.toSorted()
}
