import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Loader } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { run } from '../exec.ts'
import { deleteSubvolume, syncFileSystem } from '../store/btrfs.ts'
import { removeCopies, removeImage } from '../store/removal.ts'
import type { View } from '../store/snapshots.ts'
import { findSnapshot } from '../store/snapshots.ts'
import { nestedIn } from './leftovers.ts'
import type { GcPlan } from './plan.ts'

export type Removed = { kind: 'deployment' | 'image' | 'leftover'; id: string; reason: string }

/** Extents of a deleted subvolume are given back by the kernel in the background, on a slow disk for minutes. */
const cleaningTimeoutMs = 300_000

/**
 * Entries first: one without a root is worse than a root without an entry. Leftovers next, for they may lie inside a
 * copy; then copies, then the images that no copy needs any more. Each step is whole by itself, so what a crash leaves
 * is found by the next call.
 */
export async function collect(
  context: Context,
  loader: Loader,
  view: View,
  plan: GcPlan & { onRemoved: (removed: Removed) => void },
): Promise<{ espFreedBytes: number }> {
  const gone = new Set(plan.deployments.map(({ id }) => id))
  const staying = view.ledger.deployments.filter((record) => !gone.has(record.id))
  const espFreedBytes = await loader.keepOnly(staying.map((record) => record.id))
  await context.failpoint?.('gc-entries-removed')
  let { ledger } = view
  for (const { name, reason } of plan.leftovers) {
    await deleteNested(context, plan, name)
    await deleteSubvolume(context, join(context.paths.subvolumes, name))
    plan.onRemoved({ kind: 'leftover', id: name, reason })
  }
  for (const { id, reason } of plan.deployments) {
    const copy = findSnapshot(view, id)
    await deleteNested(context, plan, copy.subvolume.name)
    ledger = await removeCopies(context, ledger, [copy])
    plan.onRemoved({ kind: 'deployment', id, reason })
    await context.failpoint?.('gc-deployment-removed')
  }
  for (const { id, reason } of plan.images) {
    ledger = await removeImage(context, ledger, id)
    plan.onRemoved({ kind: 'image', id, reason })
    await context.failpoint?.('gc-image-removed')
  }
  return { espFreedBytes }
}

async function deleteNested(
  context: Context,
  { subvolumes, leftovers }: GcPlan,
  name: string,
): Promise<void> {
  for (const nested of nestedIn(subvolumes, name)) {
    if (leftovers.some((leftover) => leftover.name === nested.name)) continue // gone by now, the inner ones first
    await deleteSubvolume(context, join(context.paths.subvolumes, nested.name))
  }
}

/** Of the whole file system, metadata included, as its superblock will say it. */
export async function usedBytes(context: Context): Promise<number> {
  await syncFileSystem(context, context.paths.base)
  const { blocks, bfree, bsize } = await statfs(context.paths.base)
  return (blocks - bfree) * bsize
}

/** Waits for the kernel to give the space back; false where it takes longer than we wait. */
export async function awaitCleaning(context: Context): Promise<boolean> {
  try {
    await run(['btrfs', 'subvolume', 'sync', context.paths.base], {
      signal: context.signal,
      attempt: 'wait for the space of deleted subvolumes',
      timeoutMs: cleaningTimeoutMs,
    })
    return true
  } catch (error) {
    if (context.signal.aborted) throw error
    context.log((error as Error).message)
    return false
  }
}
