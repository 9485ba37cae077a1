import { readFile } from 'node:fs/promises'
import { SnapError } from '../errors.ts'
import type { StorePaths } from './paths.ts'

export type Layer = {
  id: string
  parent: string | null
  compressedDigest: string | null
  sizeBytes: number
  /** Its unpacking has begun and not ended. */
  incomplete: boolean
}

export type Image = {
  id: string
  names: readonly string[]
  topLayer: string
  /** What the store calls the image's digest: of its manifest, or of the index it was asked for by. */
  digest: string
  /** Every manifest (and index) kept with the image. */
  manifestDigests: readonly string[]
  created: string
  sizeBytes: number
}

export type StoredImages = { images: readonly Image[]; layers: ReadonlyMap<string, Layer> }

type Json = { readonly [key: string]: unknown }

/** containers/storage replaces these files by rename, so a reader without its lock sees one whole version. */
export async function readStoredImages(paths: StorePaths): Promise<StoredImages> {
  const layers = new Map<string, Layer>()
  for (const entry of await readRecords(paths.layersFile)) {
    const layer = toLayer(entry)
    layers.set(layer.id, layer)
  }
  const images = (await readRecords(paths.imagesFile)).map((entry) => toImage(entry, layers))
  return { images: images.filter((image) => image.topLayer !== ''), layers }
}

async function readRecords(path: string): Promise<Json[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new SnapError('storage-failed', `read ${path}: ${(error as Error).message}`, { cause: error })
  }
  try {
    const records: unknown = JSON.parse(text)
    if (Array.isArray(records)) return records as Json[]
  } catch {
    // told below, as for valid JSON of another shape
  }
  throw new SnapError('storage-failed', `read ${path}: not a list in JSON; the image store is damaged`)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function toLayer(entry: Json): Layer {
  const compressed = entry['compressed-size']
  const unpacked = entry['diff-size']
  return {
    id: text(entry['id']),
    parent: text(entry['parent']) || null,
    compressedDigest: text(entry['compressed-diff-digest']) || null,
    sizeBytes: typeof compressed === 'number' ? compressed : typeof unpacked === 'number' ? unpacked : 0,
    incomplete: ((entry['flags'] ?? {}) as Json)['incomplete'] === true,
  }
}

function toImage(entry: Json, layers: ReadonlyMap<string, Layer>): Image {
  const names = entry['names']
  const topLayer = text(entry['layer'])
  const digests = Object.keys((entry['big-data-digests'] ?? {}) as Json)
  return {
    id: text(entry['id']),
    names: Array.isArray(names) ? names.map(text) : [],
    topLayer,
    digest: text(entry['digest']),
    manifestDigests: digests
      .filter((key) => key.startsWith('manifest-'))
      .map((key) => key.slice('manifest-'.length)),
    created: text(entry['created']),
    sizeBytes: layerChain(layers, topLayer).reduce((sum, layer) => sum + layer.sizeBytes, 0),
  }
}

/** From the top layer down to the first. */
export function layerChain(layers: ReadonlyMap<string, Layer>, topLayer: string): Layer[] {
  const chain: Layer[] = []
  for (let layer = layers.get(topLayer); layer !== undefined && chain.length <= layers.size;) {
    chain.push(layer)
    layer = layer.parent === null ? undefined : layers.get(layer.parent)
  }
  return chain
}

/** Left by a pull that did not end: no image record reaches them, yet the next pull would use them. */
export function orphanLayers(stored: StoredImages): Layer[] {
  const reached = new Set(stored.images.flatMap((image) => layerChain(stored.layers, image.topLayer)))
  return [...stored.layers.values()].filter((layer) => !reached.has(layer))
}
