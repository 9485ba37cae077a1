import { mkdir, mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { pullSource } from '../commands/pull.ts'
import type { Context } from '../context.ts'
import { SnapError, saysNoSpace } from '../errors.ts'
import { prepareStore, storePaths } from '../store/paths.ts'
import { parseImageSource } from '../store/references.ts'
import { openView } from '../store/session.ts'
import { findSnapshot } from '../store/snapshots.ts'
import { withRootFileSystem } from './filesystem.ts'
import { planDisk, sizeText } from './geometry.ts'
import { claimScratch, removeLeftScratch, scratchPrefix } from './scratch-leftovers.ts'
import { findTools } from './tools.ts'

export type FetchOptions = {
  /** For the error: what the images are fetched for, `lint os:1` for example. */
  readonly attempt: string
  readonly stallMs: number
}

const diskBytesMax = 64 * 1024 ** 3
/** Nothing is ever written there. */
const espBytes = 34 * 1024 ** 2
const needed = ['btrfs', 'mkfs.btrfs', 'losetup', 'mount', 'umount', 'skopeo'] as const

/**
 * Fetches images into a store of their own in a file below the temporary folder, and gives the folders of their
 * systems to the work, in the order asked for. Nothing of it is left, however it ends; after SIGKILL the next call
 * takes it away. Needs root, loop devices and
 * btrfs in the kernel, and neither a store nor btrfs on this machine's disk.
 */
export async function withFetchedImages<T>(
  context: Context,
  images: readonly string[],
  { attempt, stallMs }: FetchOptions,
  work: (roots: readonly string[]) => Promise<T>,
): Promise<T> {
  const sources = images.map(parseImageSource)
  if (getuid?.() !== 0) throw new SnapError('refused', `${attempt}: mounting needs root; run it as root`)
  const tools = await findTools({ attempt, needed })
  await removeLeftScratch(context)
  const folder = await mkdtemp(join(tmpdir(), scratchPrefix))
  try {
    await claimScratch(folder)
    const disk = join(folder, 'store.raw')
    const mountPoint = join(folder, 'root')
    await mkdir(mountPoint)
    const geometry = planDisk(await makeSparse(disk, folder), espBytes)
    const inside = { ...context, paths: storePaths(mountPoint) }
    return await withRootFileSystem(context, tools, { disk, geometry, mountPoint }, async () => {
      await prepareStore(inside.paths)
      const ids: string[] = []
      for (const source of sources) {
        const { imageId } = await pullSource(inside, source, { progress: false, quiet: true, stallMs })
        ids.push(imageId)
      }
      const view = await openView(inside)
      return work(ids.map((id) => findSnapshot(view, id).path))
    })
  } catch (cause) {
    if (context.signal.aborted)
      throw new SnapError('interrupted', `${attempt}: interrupted by a signal`, { cause })
    throw cause instanceof Error && isForSpace(cause) ? await tooFull(attempt, folder, cause) : cause
  } finally {
    await rm(folder, { recursive: true, force: true }).catch((error: Error) => context.log(error.message))
  }
}

function isForSpace(error: Error): boolean {
  return (error instanceof SnapError && error.code === 'no-space') || saysNoSpace(error.message)
}

/** As large as can be filled; a hole costs nothing. Returns its size in bytes. */
async function makeSparse(path: string, folder: string): Promise<number> {
  const sizeBytes = Math.min(diskBytesMax, await freeBytes(folder))
  const file = await open(path, 'wx', 0o600)
  try {
    await file.truncate(sizeBytes)
  } finally {
    await file.close()
  }
  return sizeBytes
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

async function tooFull(attempt: string, folder: string, cause: Error): Promise<SnapError> {
  const found = `${sizeText(await freeBytes(folder))} are free in ${tmpdir()}, which is too little to unpack it there`
  return new SnapError('no-space', `${attempt}: ${found}; name a larger folder in TMPDIR`, { cause })
}
