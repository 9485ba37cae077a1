import { readFile } from 'node:fs/promises'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { Ledger, PullIntent } from '../ledger.ts'
import { syncFileSystem } from './btrfs.ts'
import type { Image } from './images.ts'
import type { View } from './snapshots.ts'

export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

/**
 * containers/storage writes an image's record first and what belongs to it after that: a pull cut off in between
 * leaves an image with its layers and a digest but without a manifest, or without both.
 */
export function concerns(intent: PullIntent, image: Image): boolean {
  const digests = [image.digest, ...image.manifestDigests].filter((digest) => digest !== '')
  if (digests.length === 0) return true
  return digests.some((digest) => digest === intent.digest || intent.manifestDigests.includes(digest))
}

export function isReady(ledger: Ledger, imageId: string): boolean {
  return ledger.images.some((record) => record.imageId === imageId && record.readyAt !== null)
}

/**
 * The image may be booted from: its pull ended here, or another tool put it there and a sync has been done.
 * An image of a pull that did not end is refused, for after a power cut its files may be empty.
 */
export async function requireReady(context: Context, view: View, imageId: string): Promise<Ledger> {
  const { ledger, inventory } = view
  const image = inventory.stored.images.find((candidate) => candidate.id === imageId)
  if (image === undefined || isReady(ledger, imageId)) return ledger
  const unfinished = ledger.pulls.find((intent) => concerns(intent, image))
  if (unfinished !== undefined) {
    throw new SnapError(
      'refused',
      `use image ${imageId}: its pull is not done; pull ${unfinished.digest} again first`,
    )
  }
  await syncFileSystem(context, context.paths.base)
  const readyAt = new Date().toISOString()
  const images = ledger.images.map((record) => (record.imageId === imageId ? { ...record, readyAt } : record))
  return { ...ledger, images }
}
