import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { createSubvolume } from './btrfs.ts'
import { readStoredImages } from './images.ts'

/**
 * containers/storage notes a layer as incomplete before it makes the subvolume, and drops such layers when it
 * next opens the store. With the btrfs driver that fails for good where the subvolume was never made (a full
 * disk, a power cut): no pull and no delete works any more. An empty subvolume in its place lets it go on.
 * Not to be called while a pull runs: what is missing then is about to be made.
 */
export async function repairIncompleteLayers(context: Context): Promise<void> {
  const { layers } = await readStoredImages(context.paths)
  const incomplete = [...layers.values()].filter((layer) => layer.incomplete)
  if (incomplete.length === 0) return
  // On a full disk not even the folder may have been made.
  await mkdir(context.paths.subvolumes, { recursive: true, mode: 0o700 })
  const present = new Set(await readdir(context.paths.subvolumes))
  for (const layer of incomplete) {
    if (present.has(layer.id)) continue
    context.log(`layer ${layer.id} is incomplete and has no subvolume: making one, for the store to delete`)
    await createSubvolume(context, join(context.paths.subvolumes, layer.id))
  }
}
