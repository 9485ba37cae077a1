import type { Context } from '../context.ts'
import { loaderOf } from '../deploy/loader-of.ts'
import { activatedSnapshot, fallbackOf } from '../deploy/targets.ts'
import { SnapError } from '../errors.ts'
import { removeCopies, removeImage } from '../store/removal.ts'
import { changeStore } from '../store/session.ts'
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
    const gone = snapshot.kind === 'copy' ? [snapshot] : copies
    await removeEntries(context, view, gone)
    const ledger = await removeCopies(context, view.ledger, gone)
    if (snapshot.kind === 'copy') return
    await removeImage(context, ledger, snapshot.imageId)
  })
  return ''
}

/** Before the roots they name: an entry without a root is worse than a root without an entry. */
async function removeEntries(context: Context, view: View, gone: readonly Snapshot[]): Promise<void> {
  if (gone.length === 0) return
  const ids = new Set(gone.map(({ id }) => id))
  const left = view.ledger.deployments.filter((record) => !ids.has(record.id))
  await (await loaderOf(context)).keepOnly(left.map((record) => record.id))
  await context.failpoint?.('entries-removed')
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
    target.id === fallbackOf(view)?.id ? ["it is this machine's way back; prove another first"] : [],
    target.id === activatedSnapshot(view)?.id ? ['it is activated'] : [],
  ].flat()
  if (reasons.length > 0) throw new SnapError('refused', `delete ${target.id}: ${reasons.join(' and ')}`)
}
