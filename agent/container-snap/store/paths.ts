import { mkdir, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { SnapError } from '../errors.ts'

export type StorePaths = {
  sysroot: string
  base: string
  graphRoot: string
  runRoot: string
  subvolumes: string
  imagesFile: string
  layersFile: string
  ledgerFile: string
  lockFile: string
  /** Blobs of running pulls, in the store's own file system. */
  scratch: string
}

const btrfsMagic = 0x9123683e

export function storePaths(sysroot: string): StorePaths {
  const root = resolve(sysroot)
  const base = join(root, 'var/lib/container-snap')
  const graphRoot = join(base, 'snapshots')
  return {
    sysroot: root,
    base,
    graphRoot,
    runRoot: join(base, 'runroot'),
    subvolumes: join(graphRoot, 'btrfs/subvolumes'),
    imagesFile: join(graphRoot, 'btrfs-images/images.json'),
    layersFile: join(graphRoot, 'btrfs-layers/layers.json'),
    ledgerFile: join(base, 'ledger.json'),
    lockFile: join(base, 'ledger.lock'),
    scratch: join(base, 'tmp'),
  }
}

/** Creates what is missing; every command of the original does so before anything else. */
export async function prepareStore(paths: StorePaths): Promise<void> {
  try {
    if ((await fileSystemType(paths.base)) !== btrfsMagic) {
      throw new SnapError(
        'storage-failed',
        `open the store ${paths.base}: it is not on btrfs; mount a btrfs there`,
      )
    }
    for (const folder of [paths.base, paths.graphRoot, paths.runRoot, paths.scratch]) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
    }
  } catch (error) {
    if (error instanceof SnapError) throw error
    throw new SnapError('storage-failed', `open the store ${paths.base}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** Of the nearest folder that is there: nothing is created on a file system that cannot hold the store. */
async function fileSystemType(path: string): Promise<number> {
  try {
    return (await statfs(path)).type
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || path === dirname(path)) throw error
    return fileSystemType(dirname(path))
  }
}
