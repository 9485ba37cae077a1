import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeDurably } from './durable-file.ts'
import type { ImagePlatform } from './images/image-contents.ts'

/** What is known of one image beyond what the engine needs. */
export type CatalogEntry = {
  readonly repository: string
  readonly firstSeenMs: number
  /** Under which it was found, the newest last. */
  readonly tags: readonly string[]
  /** Null: not known; `message` says why. */
  readonly platforms: readonly ImagePlatform[] | null
  readonly message: string
}

export type ImageCatalog = {
  /** Null: an image of which nothing is kept. */
  entryOf(digest: string): CatalogEntry | null
  /** By digest: where each is, of all that matters now. What else is known is kept while there is room. */
  see(repositories: ReadonlyMap<string, string>, nowMs: number): void
  seeTags(tags: readonly { readonly digest: string; readonly tag: string }[]): void
  /** Digests, with their repositories, whose contents are not known and may be asked for now. */
  missing(nowMs: number): readonly { readonly digest: string; readonly repository: string }[]
  know(digest: string, platforms: readonly ImagePlatform[]): void
  /** Asked for again later and later. */
  fail(digest: string, failure: { readonly message: string; readonly nowMs: number }): void
  /** Writes what changed since the last call. */
  keep(): Promise<void>
}

export type CatalogLimits = { readonly imagesMax: number; readonly digestsMax: number }

const LIMITS: CatalogLimits = { imagesMax: 500, digestsMax: 200_000 }
const TAGS_MAX = 8
const RETRY_MIN_MS = 60_000
const RETRY_MAX_MS = 3_600_000
const FILE = 'catalog.json'

const Platform: z.ZodType<ImagePlatform> = z.object({
  architecture: z.string(),
  manifest: z.string(),
  layers: z.array(z.string()),
  diffIds: z.array(z.string()),
  base: z.string(),
  baseName: z.string(),
})

const Stored = z.record(
  z.string(),
  z.object({
    repository: z.string(),
    firstSeenMs: z.number(),
    tags: z.array(z.string()),
    platforms: z.array(Platform).nullable(),
  }),
)

type Entry = CatalogEntry & { readonly tries: number; readonly notBeforeMs: number }

const unasked = {
  tags: [],
  platforms: null,
  message: 'it is asked for soon',
  tries: 0,
  notBeforeMs: 0,
} as const
/** The rest starts anew with the controller. */
const WRITTEN = ['tags', 'platforms'] as const
const full = 'this controller keeps no more of images'

/** What cannot be read counts as nothing: all of it is in registries too. */
export async function openImageCatalog(stateDir: string, limits = LIMITS): Promise<ImageCatalog> {
  const path = join(stateDir, FILE)
  const entries = await read(path)
  let current: ReadonlyMap<string, string> = new Map()
  let isWritten = true

  function change(digest: string, changes: Partial<Entry>): void {
    const entry = entries.get(digest)
    if (entry !== undefined) entries.set(digest, { ...entry, ...changes })
    if (WRITTEN.some((key) => key in changes)) isWritten = false
  }

  return {
    entryOf(digest) {
      const entry = entries.get(digest)
      if (entry === undefined && !current.has(digest)) return null
      return entry ?? { repository: '', firstSeenMs: 0, tags: [], platforms: null, message: full }
    },
    see(repositories, nowMs) {
      current = repositories
      if (makeRoom(entries, current, limits)) isWritten = false
      for (const [digest, repository] of repositories) {
        const known = entries.get(digest)
        const isFull = known === undefined && entries.size >= limits.imagesMax
        if (isFull || known?.repository === repository) continue
        entries.set(digest, { firstSeenMs: nowMs, ...unasked, ...known, repository })
        isWritten = false
      }
    },
    seeTags(tags) {
      for (const { digest, tag } of tags) {
        const known = entries.get(digest)?.tags ?? []
        if (!known.includes(tag)) change(digest, { tags: [...known, tag].slice(-TAGS_MAX) })
      }
    },
    missing: (nowMs) =>
      [...current].flatMap(([digest, repository]) => {
        const entry = entries.get(digest)
        const isDue = entry?.platforms === null && entry.notBeforeMs <= nowMs
        return isDue ? [{ digest, repository }] : []
      }),
    know(digest, platforms) {
      const isTooMuch = digestsIn(entries) + digestsOf(platforms) > limits.digestsMax
      change(digest, isTooMuch ? { message: full, notBeforeMs: Infinity } : { platforms, message: '' })
    },
    fail(digest, { message, nowMs }) {
      const tries = (entries.get(digest)?.tries ?? 0) + 1
      const pauseMs = Math.min(RETRY_MIN_MS * 2 ** (tries - 1), RETRY_MAX_MS)
      change(digest, { message, tries, notBeforeMs: nowMs + pauseMs })
    },
    async keep() {
      if (isWritten) return
      isWritten = true
      await writeDurably(path, textOf(entries)).catch((error: unknown) => {
        isWritten = false
        throw error
      })
    },
  }
}

/** Forgets what matters no more, the oldest first, and no more of it than what matters now needs. True: it did. */
function makeRoom(
  entries: Map<string, Entry>,
  current: ReadonlyMap<string, string>,
  { imagesMax, digestsMax }: CatalogLimits,
): boolean {
  const added = [...current.keys()].filter((digest) => !entries.has(digest)).length
  const surplus = [...entries.keys()].filter((digest) => !current.has(digest))
  const before = entries.size
  for (const digest of surplus) {
    if (entries.size + added <= imagesMax && digestsIn(entries) <= digestsMax) break
    entries.delete(digest)
  }
  return entries.size < before
}

function digestsOf(platforms: readonly ImagePlatform[]): number {
  return platforms.reduce((sum, { diffIds, layers }) => sum + diffIds.length + layers.length, 0)
}

function digestsIn(entries: ReadonlyMap<string, Entry>): number {
  let sum = 0
  for (const { platforms } of entries.values()) sum += digestsOf(platforms ?? [])
  return sum
}

function textOf(entries: ReadonlyMap<string, Entry>): string {
  const kept = [...entries].map(([digest, { firstSeenMs, platforms, repository, tags }]) => {
    return [digest, { repository, firstSeenMs, tags, platforms }]
  })
  return JSON.stringify(Object.fromEntries(kept))
}

async function read(path: string): Promise<Map<string, Entry>> {
  try {
    const stored = Object.entries(Stored.parse(JSON.parse(await readFile(path, 'utf8'))))
    return new Map(
      stored.map(([digest, entry]) => {
        return [digest, { ...unasked, ...entry, ...(entry.platforms !== null && { message: '' }) }]
      }),
    )
  } catch {
    return new Map()
  }
}
