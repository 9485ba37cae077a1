import { rm } from 'node:fs/promises'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { ImageRecord, Ledger, PullIntent } from '../ledger.ts'
import { bootIdentity } from './boot-identity.ts'
import { syncFileSystem } from './btrfs.ts'
import type { Image, StoredImages } from './images.ts'
import { layerChain, orphanLayers, readStoredImages } from './images.ts'
import type { Blob, Manifest } from './manifest.ts'
import { acceptedDigests } from './manifest.ts'
import { reportProgress } from './progress.ts'
import { concerns, isReady } from './readiness.ts'
import { repairIncompleteLayers } from './repair.ts'
import { openScratch, otherPullRuns } from './scratch.ts'
import { changeStore, recordLedger } from './session.ts'
import { copyIntoStore, deleteFromStore } from './skopeo.ts'
import type { View } from './snapshots.ts'

/** Failed pulls of ever new digests must not grow the ledger without end. */
const intentsMax = 64

export type Acquisition = {
  source: string
  /** In the store: a name, or `@` and the image id for an image without one. */
  target: string
  /** What was asked for; the image in the store must be this or belong to it. */
  manifest: Manifest
  /** What a pull from nothing would fetch. */
  blobs: readonly Blob[]
  progress: boolean
  /** The copy is given up when no data moves for so long. */
  stallMs: number
}

export type Acquired = { imageId: string; digest: string; manifestDigest: string; sizeBytes: number }

/** Intent, copy, verify, sync, ready mark; a crash at any point leaves what the next pull puts right. */
export async function acquireImage(context: Context, wanted: Acquisition): Promise<Acquired> {
  const scratch = await openScratch(context.paths.scratch)
  const copy = { source: wanted.source, target: wanted.target, scratch, stallMs: wanted.stallMs }
  try {
    const suspectLayers = await changeStore(context, async (view) =>
      beginPull(context, view, wanted.manifest),
    )
    if (wanted.progress)
      await reportProgress(context, { ...wanted, scratch }, () => copyIntoStore(context, copy))
    else await copyIntoStore(context, copy)
    if (await reuses(context, wanted, suspectLayers)) {
      await deleteFromStore(context, verified(await readStoredImages(context.paths), wanted).image.id)
      await copyIntoStore(context, copy)
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  await discardUnverified(context, wanted)
  await syncFileSystem(context, context.paths.base)
  return changeStore(context, async (view) => finishPull(context, view, wanted))
}

/**
 * Records the intent. After a power cut, what an unfinished pull left may have records but empty files: its
 * image is removed here, and the layers that no image reaches are returned, for the copy would reuse them.
 */
async function beginPull(context: Context, view: View, manifest: Manifest): Promise<ReadonlySet<string>> {
  const { ledger, inventory } = view
  if (!(await otherPullRuns(context.paths.scratch))) await repairIncompleteLayers(context)
  const thisBoot = await bootIdentity(context.paths)
  const cutOff = ledger.pulls.filter((intent) => intent.bootId !== thisBoot)
  for (const image of inventory.stored.images) {
    if (isReady(ledger, image.id) || !cutOff.some((intent) => concerns(intent, image))) continue
    context.log(`image ${image.id} is left of a pull that was cut off: removing it`)
    await deleteFromStore(context, image.id)
  }
  const stored = await readStoredImages(context.paths)
  const orphans = orphanLayers(stored)
  const intent: PullIntent = {
    digest: manifest.digest,
    manifestDigests: acceptedDigests(manifest),
    bootId: thisBoot,
    startedAt: new Date().toISOString(),
  }
  const others = ledger.pulls.filter((other) => stillMatters(other, { ledger, stored, intent }))
  const pulls = [...others.slice(1 - intentsMax), intent]
  await recordLedger(context, { ...ledger, pulls })
  return new Set(cutOff.length === 0 ? [] : orphans.map((layer) => layer.id))
}

type Leftovers = { ledger: Ledger; stored: StoredImages; intent: PullIntent }

function stillMatters(intent: PullIntent, left: Leftovers): boolean {
  // An older intent for the same digest keeps its boot id: its layers are as suspect as before.
  if (intent.digest === left.intent.digest && intent.bootId === left.intent.bootId) return false
  if (orphanLayers(left.stored).length > 0 || intent.bootId === left.intent.bootId) return true
  return left.stored.images.some((image) => !isReady(left.ledger, image.id) && concerns(intent, image))
}

async function reuses(
  context: Context,
  wanted: Acquisition,
  suspectLayers: ReadonlySet<string>,
): Promise<boolean> {
  if (suspectLayers.size === 0) return false
  const stored = await readStoredImages(context.paths)
  const { image } = verified(stored, wanted)
  return layerChain(stored.layers, image.topLayer).some((layer) => suspectLayers.has(layer.id))
}

type Verified = { image: Image; manifestDigest: string }

function verified(stored: StoredImages, wanted: Acquisition): Verified {
  const image = stored.images.find((candidate) => isTarget(candidate, wanted.target))
  if (image === undefined) {
    throw new SnapError(
      'pull-failed',
      `pull ${wanted.source}: the image was deleted meanwhile; pull it again`,
    )
  }
  const accepted = acceptedDigests(wanted.manifest)
  const manifestDigest = [image.digest, ...image.manifestDigests].find((digest) => accepted.includes(digest))
  if (manifestDigest === undefined) {
    const expected = wanted.manifest.digest
    throw new SnapError(
      'verification-failed',
      `pull ${wanted.source}: stored ${image.digest}, expected ${expected}`,
    )
  }
  return { image, manifestDigest }
}

function isTarget(image: Image, target: string): boolean {
  return target.startsWith('@') ? image.id === target.slice(1) : image.names.includes(target)
}

/** An image that is not what was asked for must not stay: it would be taken for another tool's. */
async function discardUnverified(context: Context, wanted: Acquisition): Promise<void> {
  const stored = await readStoredImages(context.paths)
  try {
    verified(stored, wanted)
  } catch (error) {
    const image = stored.images.find((candidate) => isTarget(candidate, wanted.target))
    if (image?.names.length === 1) await deleteFromStore(context, image.id)
    throw error
  }
}

async function finishPull(context: Context, view: View, wanted: Acquisition): Promise<Acquired> {
  const { ledger, inventory } = view
  const { image, manifestDigest } = verified(inventory.stored, wanted)
  const known = ledger.images.find((record) => record.imageId === image.id)
  if (known === undefined) {
    throw new SnapError(
      'storage-failed',
      `pull ${wanted.source}: image ${image.id} has no subvolume in the store`,
    )
  }
  const { digest } = wanted.manifest
  const earlier = known.readyAt === null ? [] : known.digests.filter((other) => other !== digest)
  const record: ImageRecord = {
    ...known,
    digests: [...earlier, digest],
    manifestDigest,
    sizeBytes: image.sizeBytes,
    readyAt: new Date().toISOString(),
  }
  const pulls = ledger.pulls.filter((intent) => intent.digest !== digest)
  const images = ledger.images.map((other) => (other.imageId === image.id ? record : other))
  await recordLedger(context, { ...ledger, images, pulls })
  return { imageId: image.id, digest, manifestDigest, sizeBytes: image.sizeBytes }
}

/** What a digest names here already, if it can be used as it is. */
export function readyImage(view: View, digest: string): Acquired | null {
  for (const record of view.ledger.images) {
    if (record.readyAt === null) continue
    if (!record.digests.includes(digest) && record.manifestDigest !== digest) continue
    const { imageId, manifestDigest, sizeBytes } = record
    return { imageId, digest, manifestDigest, sizeBytes }
  }
  return null
}
