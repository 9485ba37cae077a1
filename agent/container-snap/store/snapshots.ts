import { join } from 'node:path'
import { SnapError } from '../errors.ts'
import type { Ledger } from '../ledger.ts'
import type { Inventory, StoreSubvolume } from './inventory.ts'
import type { StorePaths } from './paths.ts'

/** An image's own pristine subvolume, or a working copy of it. */
export type Snapshot = {
  kind: 'image' | 'copy'
  id: string
  imageId: string
  path: string
  subvolume: StoreSubvolume
}

/** The inventory and a ledger that is in line with it. */
export type View = { paths: StorePaths; inventory: Inventory; ledger: Ledger }

export function parseCopyName(name: string): { layer: string; number: number } | null {
  const [, layer, number] = /^([0-9a-f]{64})-work([1-9][0-9]{0,8})$/.exec(name) ?? []
  return layer === undefined || number === undefined ? null : { layer, number: Number(number) }
}

/** `<image>-work0` is the image itself, as it was for the original. */
function canonicalId(id: string): string {
  const dash = id.indexOf('-')
  if (dash === -1) return id
  const number = /^work([0-9]{1,9})$/.exec(id.slice(dash + 1))?.[1]
  if (number === undefined) {
    throw new SnapError(
      'not-found',
      `snapshot id ${id} is invalid: after the image id comes '-work' and a number`,
    )
  }
  return Number(number) === 0 ? id.slice(0, dash) : `${id.slice(0, dash)}-work${Number(number)}`
}

export function listSnapshots(view: View): Snapshot[] {
  const { inventory, ledger, paths } = view
  const byName = new Map(inventory.subvolumes.map((subvolume) => [subvolume.name, subvolume]))
  const byUuid = new Map(inventory.subvolumes.map((subvolume) => [subvolume.uuid, subvolume]))
  const images = inventory.stored.images.flatMap((image): Snapshot[] => {
    const subvolume = byName.get(image.topLayer)
    if (subvolume === undefined) return []
    return [
      {
        kind: 'image',
        id: image.id,
        imageId: image.id,
        path: join(paths.subvolumes, subvolume.name),
        subvolume,
      },
    ]
  })
  const copies = ledger.deployments.flatMap((record): Snapshot[] => {
    const subvolume = byUuid.get(record.subvolumeUuid)
    if (subvolume === undefined) return []
    const path = join(paths.subvolumes, subvolume.name)
    return [{ kind: 'copy', id: record.id, imageId: record.imageId, path, subvolume }]
  })
  return [...images, ...copies]
}

export function findSnapshot(view: View, id: string): Snapshot {
  const wanted = canonicalId(id)
  const found = listSnapshots(view).find((snapshot) => snapshot.id === wanted)
  if (found !== undefined) return found
  const imageId = wanted.split('-')[0] ?? ''
  const image = view.inventory.stored.images.find((candidate) => candidate.id === imageId)
  const missing = image === undefined ? `no image with id '${imageId}'` : `no snapshot with id '${wanted}'`
  throw new SnapError('not-found', `${missing} found in the image store; list-snapshots shows what there is`)
}

/** The snapshot in a subvolume, if it is one of ours; images that share a layer are told apart by `switch`. */
export function snapshotOf(view: View, subvolumeId: number | null): Snapshot | null {
  const matching = listSnapshots(view).filter((snapshot) => snapshot.subvolume.id === subvolumeId)
  const { selected } = view.ledger
  const chosen = matching.find(
    (snapshot) =>
      selected?.subvolumeUuid === snapshot.subvolume.uuid && selected.imageId === snapshot.imageId,
  )
  return chosen ?? matching.at(-1) ?? null
}

export function currentSnapshot(view: View): Snapshot | null {
  return snapshotOf(view, view.inventory.currentId)
}

export function defaultSnapshot(view: View): Snapshot | null {
  return snapshotOf(view, view.inventory.defaultId)
}

/** One above all there are. Names of plain folders count too: btrfs would put a copy inside one and say nothing. */
export function nextCopyNumber(names: readonly string[], layer: string): number {
  const used = names.flatMap((name) => {
    const copy = parseCopyName(name)
    return copy?.layer === layer ? [copy.number] : []
  })
  return Math.max(0, ...used) + 1
}
