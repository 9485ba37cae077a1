import { realpath } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { readStoredImages } from './images.ts'
import { mountHolding } from './inventory.ts'
import { readMounts } from './mounts.ts'
import type { StorePaths } from './paths.ts'
import { parseCopyName } from './snapshots.ts'

/**
 * What runs, read from the mount table and the image store alone: no program is started, so that who asks often gets
 * an answer in the time that Node takes to start. Null where that does not tell it for sure: another layout of the
 * mounts, or images that share their top layer. A ledger is not needed, for a copy's number is unique in its layer.
 */
export async function currentIdByMounts(paths: StorePaths): Promise<string | null> {
  const [mounts, sysroot, base] = await Promise.all([
    readMounts(),
    realpath(paths.sysroot),
    realpath(paths.base),
  ])
  const root = mounts.findLast((mount) => mount.mountPoint === sysroot)
  const store = mountHolding(mounts, base)
  if (root?.fileSystem !== 'btrfs' || store?.fileSystem !== 'btrfs' || root.source !== store.source)
    return null
  const subvolumes = join(
    store.root,
    relative(store.mountPoint, base),
    relative(paths.base, paths.subvolumes),
  )
  if (dirname(root.root) !== subvolumes) return null
  const name = relative(subvolumes, root.root)
  const copy = parseCopyName(name)
  const { images } = await readStoredImages(paths)
  const [image, twin] = images.filter(({ topLayer }) => topLayer === (copy?.layer ?? name))
  if (image === undefined || twin !== undefined) return null
  return copy === null ? image.id : `${image.id}-work${copy.number}`
}
