import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { Ledger } from '../ledger.ts'
import { giveUpReserve, reserveOf } from '../reserve.ts'
import { deleteSubvolume, syncFileSystem } from './btrfs.ts'
import { repairIncompleteLayers } from './repair.ts'
import { otherPullRuns } from './scratch.ts'
import { recordLedger } from './session.ts'
import { deleteFromStore } from './skopeo.ts'
import type { Snapshot } from './snapshots.ts'

/** Each is forgotten as soon as it is gone; returns the ledger without them. */
export async function removeCopies(
  context: Context,
  ledger: Ledger,
  copies: readonly Snapshot[],
): Promise<Ledger> {
  let left = ledger
  for (const copy of copies) {
    await deleteSubvolume(context, copy.path)
    const deployments = left.deployments.filter((record) => record.subvolumeUuid !== copy.subvolume.uuid)
    left = { ...left, deployments }
    await recordLedger(context, left)
  }
  return left
}

/** Not ready before it is gone: a crash in between must not leave half an image that looks whole. */
export async function removeImage(context: Context, ledger: Ledger, imageId: string): Promise<Ledger> {
  const left = { ...ledger, images: ledger.images.filter((record) => record.imageId !== imageId) }
  await recordLedger(context, left)
  if (!(await otherPullRuns(context.paths.scratch))) await repairIncompleteLayers(context)
  await withRoomFor(context, async () => deleteFromStore(context, imageId))
  await syncFileSystem(context, context.paths.base)
  return left
}

/** What frees space needs some itself, for the records of the image store. */
async function withRoomFor(context: Context, remove: () => Promise<void>): Promise<void> {
  try {
    await remove()
  } catch (error) {
    if (!(error instanceof SnapError) || error.code !== 'no-space') throw error
    if (!(await giveUpReserve(reserveOf(context.paths.ledgerFile)))) throw error
    await syncFileSystem(context, context.paths.base)
    await remove()
  }
}
