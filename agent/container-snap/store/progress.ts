import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import type { Blob } from './manifest.ts'
import { readStoredImages } from './images.ts'
import { measureFolder } from './scratch.ts'

const intervalMs = 500

/**
 * Emits progress lines while `work` runs. skopeo tells nothing that can be parsed, so what counts is what it
 * has written to its scratch folder; what the store already has is neither fetched nor counted.
 */
export async function reportProgress(
  context: Context,
  fetch: { blobs: readonly Blob[]; scratch: string },
  work: () => Promise<void>,
): Promise<void> {
  const totalBytes = await missingBytes(context, fetch.blobs)
  let doneBytes = 0
  const emit = (): void => context.emit(jsonLine({ event: 'progress', doneBytes, totalBytes }).trimEnd())
  const measure = async (): Promise<void> => {
    // Blobs go away again as their layers are unpacked; progress never runs backwards.
    doneBytes = Math.max(doneBytes, Math.min(totalBytes, await measureFolder(fetch.scratch)))
    emit()
  }
  emit()
  const timer = setInterval(() => void measure().catch(context.log), intervalMs)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  doneBytes = totalBytes
  emit()
}

async function missingBytes(context: Context, blobs: readonly Blob[]): Promise<number> {
  const { layers } = await readStoredImages(context.paths)
  const present = new Set([...layers.values()].map((layer) => layer.compressedDigest))
  const missing = new Map(
    blobs.filter((blob) => !present.has(blob.digest)).map((blob) => [blob.digest, blob.sizeBytes]),
  )
  return [...missing.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0)
}
