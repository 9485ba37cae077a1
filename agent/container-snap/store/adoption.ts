import type { BootEntry } from '../boot/loader.ts'
import type { DeploymentRecord, ImageRecord, Ledger } from '../ledger.ts'
import type { Image } from './images.ts'
import type { Inventory, StoreSubvolume } from './inventory.ts'
import { parseCopyName } from './snapshots.ts'

/**
 * Brings the ledger in line with what is really there: forgets what is gone, takes in what other tools made
 * (as not ready, until a sync has been done for it). With an empty ledger this is the rebuild of a damaged one.
 */
export function adopt(ledger: Ledger, inventory: Inventory, createdAt: ReadonlyMap<number, string>): Ledger {
  const images = inventory.stored.images.flatMap((image) => adoptImage(ledger, inventory, image))
  const deployments = inventory.subvolumes.flatMap((subvolume) => {
    const record = adoptCopy(ledger, { ...inventory, records: images }, subvolume)
    return record === null
      ? []
      : [{ ...record, createdAt: record.createdAt || (createdAt.get(subvolume.id) ?? '') }]
  })
  const uuids = new Set(inventory.subvolumes.map((subvolume) => subvolume.uuid))
  const selected =
    ledger.selected !== null && uuids.has(ledger.selected.subvolumeUuid) ? ledger.selected : null
  return { ...ledger, images, deployments, selected }
}

/**
 * What the boot entries tell of a ledger that was lost. An entry is written only when all below its deployment is on
 * disk, so it stands for the mark of a whole one.
 */
export function restoreFromEntries(ledger: Ledger, entries: readonly BootEntry[]): Ledger {
  const restoredAt = new Date().toISOString()
  const deployments = ledger.deployments.map((record): DeploymentRecord => {
    const own = entries.filter((entry) => entry.deploymentId === record.id)
    const tried = own.filter((entry) => entry.kind !== 'staged')
    const latest = tried.toSorted((a, b) => (a.activation ?? 0) - (b.activation ?? 0)).at(-1)
    return {
      ...record,
      stagedAt: own.length > 0 ? restoredAt : null,
      activation: latest?.activation ?? null,
      blessedAt: latest?.kind === 'good' ? restoredAt : null,
      bad:
        latest?.kind === 'bad' ? `its entry ${latest.file} is bad; the ledger that knew why is lost` : null,
    }
  })
  const activations = Math.max(0, ...entries.map((entry) => entry.activation ?? 0))
  return { ...ledger, deployments, activations }
}

export function unknownCopies(ledger: Ledger, inventory: Inventory): StoreSubvolume[] {
  const known = new Set(ledger.deployments.map((record) => record.subvolumeUuid))
  return inventory.subvolumes.filter((one) => parseCopyName(one.name) !== null && !known.has(one.uuid))
}

function adoptImage(ledger: Ledger, inventory: Inventory, image: Image): ImageRecord[] {
  const subvolume = inventory.subvolumes.find((candidate) => candidate.name === image.topLayer)
  if (subvolume === undefined) return []
  const known = ledger.images.find((record) => record.imageId === image.id)
  if (known?.subvolumeUuid === subvolume.uuid) return [known]
  const byName = image.names.flatMap((name) => /@(sha256:[0-9a-f]{64})$/.exec(name)?.[1] ?? [])
  return [
    {
      imageId: image.id,
      digests: byName.length > 0 ? byName : [image.digest],
      manifestDigest: image.digest,
      subvolumeUuid: subvolume.uuid,
      sizeBytes: image.sizeBytes,
      readyAt: null,
    },
  ]
}

type AdoptionSource = Inventory & { records: readonly ImageRecord[] }

function adoptCopy(
  ledger: Ledger,
  source: AdoptionSource,
  subvolume: StoreSubvolume,
): DeploymentRecord | null {
  const copy = parseCopyName(subvolume.name)
  if (copy === null) return null
  const known = ledger.deployments.find((record) => record.subvolumeUuid === subvolume.uuid)
  if (known !== undefined) return known
  const intended = ledger.creating?.name === subvolume.name ? ledger.creating.imageId : null
  const owner =
    source.stored.images.find((image) => image.id === intended && image.topLayer === copy.layer) ??
    newest(source.stored.images.filter((image) => image.topLayer === copy.layer))
  const record = source.records.find((candidate) => candidate.imageId === owner?.id)
  if (record === undefined) return null
  return {
    subvolumeUuid: subvolume.uuid,
    id: `${record.imageId}-work${copy.number}`,
    imageId: record.imageId,
    digest: record.digests.at(-1) ?? record.manifestDigest,
    manifestDigest: record.manifestDigest,
    createdAt: '',
    pinned: false,
    stagedAt: null,
    activation: null,
    blessedAt: null,
    bad: null,
    source: null,
    kernelArguments: [],
  }
}

/** Where the ledger does not know which of several images a copy is of, the newest is the best guess. */
function newest(images: readonly Image[]): Image | undefined {
  return images.toSorted((a, b) => a.created.localeCompare(b.created)).at(-1)
}
