import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { Ledger } from '../ledger.ts'
import { deleteSubvolume, syncFileSystem } from '../store/btrfs.ts'
import { repairIncompleteLayers } from '../store/repair.ts'
import { otherPullRuns } from '../store/scratch.ts'
import { changeStore, recordLedger } from '../store/session.ts'
import { deleteFromStore } from '../store/skopeo.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { findSnapshot, listSnapshots } from '../store/snapshots.ts'

export type DeleteOptions = {
  id: string | undefined
  url: string | undefined
  ifExists: boolean
  cascade: boolean
}

export async function deleteSnapshot(context: Context, options: DeleteOptions): Promise<string> {
  await changeStore(context, async (view) => {
    const snapshot = findTarget(view, options)
    if (snapshot === null) return
    const copies = copiesOf(view, snapshot)
    refuseCopies(snapshot, copies, options.cascade)
    for (const target of [snapshot, ...copies]) refuseProtected(view, target)
    const ledger = await deleteCopies(context, view.ledger, copies)
    if (snapshot.kind === 'copy') await deleteCopies(context, ledger, [snapshot])
    else await deleteImage(context, ledger, snapshot)
  })
  return ''
}

function findTarget(view: View, options: DeleteOptions): Snapshot | null {
  const { id, url } = options
  try {
    if (url !== undefined) return findByName(view, url)
    if (id !== undefined) return findSnapshot(view, id)
  } catch (error) {
    if (options.ifExists && error instanceof SnapError && error.code === 'not-found') return null
    throw error
  }
  throw new SnapError('usage', 'delete: either --url or --id must be provided')
}

function findByName(view: View, name: string): Snapshot {
  const image = view.inventory.stored.images.find((candidate) => candidate.names.includes(name))
  if (image !== undefined) return findSnapshot(view, image.id)
  throw new SnapError('not-found', `delete: no image is named '${name}'; list-images shows the names`)
}

function copiesOf(view: View, snapshot: Snapshot): Snapshot[] {
  if (snapshot.kind === 'copy') return []
  return listSnapshots(view).filter((other) => other.kind === 'copy' && other.imageId === snapshot.imageId)
}

function refuseCopies(snapshot: Snapshot, copies: readonly Snapshot[], cascade: boolean): void {
  if (copies.length === 0 || cascade) return
  const ids = copies.map((copy) => copy.id).join(', ')
  throw new SnapError(
    'refused',
    `delete ${snapshot.id}: ${ids} would be left without an image; use --cascade for all`,
  )
}

function refuseProtected(view: View, target: Snapshot): void {
  const { inventory, ledger } = view
  const record = ledger.deployments.find((candidate) => candidate.subvolumeUuid === target.subvolume.uuid)
  const reasons = [
    target.subvolume.id === inventory.currentId ? ['it is running'] : [],
    target.subvolume.id === inventory.defaultId ? ['it is the default, queued for the next boot'] : [],
    record?.pinned === true ? ['it is pinned'] : [],
  ].flat()
  if (reasons.length > 0) throw new SnapError('refused', `delete ${target.id}: ${reasons.join(' and ')}`)
}

async function deleteCopies(context: Context, ledger: Ledger, copies: readonly Snapshot[]): Promise<Ledger> {
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
async function deleteImage(context: Context, ledger: Ledger, snapshot: Snapshot): Promise<void> {
  const images = ledger.images.filter((record) => record.imageId !== snapshot.imageId)
  await recordLedger(context, { ...ledger, images })
  if (!(await otherPullRuns(context.paths.scratch))) await repairIncompleteLayers(context)
  await deleteFromStore(context, snapshot.imageId)
  await syncFileSystem(context, context.paths.base)
}
