import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SnapError } from './errors.ts'

export type ImageRecord = {
  imageId: string
  /** Every digest it was asked for by, the latest last: an index's or a manifest's. */
  digests: readonly string[]
  manifestDigest: string
  subvolumeUuid: string
  sizeBytes: number
  /** Set only after the whole file system was synced with the image complete in it. */
  readyAt: string | null
}

export type DeploymentRecord = {
  subvolumeUuid: string
  id: string
  imageId: string
  digest: string
  manifestDigest: string
  createdAt: string
  pinned: boolean
}

/** Written before a pull starts and taken away when its image is ready. */
export type PullIntent = {
  digest: string
  manifestDigests: readonly string[]
  bootId: string
  startedAt: string
}

export type Ledger = {
  version: 1
  images: readonly ImageRecord[]
  deployments: readonly DeploymentRecord[]
  pulls: readonly PullIntent[]
  /** Tells whose a copy is that was made just before a crash, where two images share its layer. */
  creating: { name: string; imageId: string } | null
  /** Which of the images that share a layer `switch` was asked for. */
  selected: { subvolumeUuid: string; imageId: string } | null
}

export const emptyLedger: Ledger = {
  version: 1,
  images: [],
  deployments: [],
  pulls: [],
  creating: null,
  selected: null,
}

type FieldKind = 'text' | 'texts' | 'number' | 'flag' | 'text-or-null'
type Shape = Readonly<Record<string, FieldKind>>

const shapes = {
  image: {
    imageId: 'text',
    digests: 'texts',
    manifestDigest: 'text',
    subvolumeUuid: 'text',
    sizeBytes: 'number',
    readyAt: 'text-or-null',
  },
  deployment: {
    subvolumeUuid: 'text',
    id: 'text',
    imageId: 'text',
    digest: 'text',
    manifestDigest: 'text',
    createdAt: 'text',
    pinned: 'flag',
  },
  pull: { digest: 'text', manifestDigests: 'texts', bootId: 'text', startedAt: 'text' },
  creating: { name: 'text', imageId: 'text' },
  selected: { subvolumeUuid: 'text', imageId: 'text' },
} as const satisfies Record<string, Shape>

function isKind(value: unknown, kind: FieldKind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string'
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
    case 'number':
      return typeof value === 'number'
    case 'flag':
      return typeof value === 'boolean'
    case 'text-or-null':
      return value === null || typeof value === 'string'
  }
}

function fits(value: unknown, shape: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Record<string, unknown>
  return Object.entries(shape).every(([name, kind]) => isKind(fields[name], kind))
}

function allFit(value: unknown, shape: Shape): boolean {
  return Array.isArray(value) && value.every((item) => fits(item, shape))
}

/** Null for what cannot be trusted; a newer program's ledger is refused instead, for it is not damaged. */
export function parseLedger(text: string): Ledger | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const fields = value as Record<string, unknown>
  const { version } = fields
  if (typeof version === 'number' && version > 1) {
    throw new SnapError(
      'storage-failed',
      `read the ledger: version ${version} is newer than this program; update it`,
    )
  }
  const sound =
    version === 1 &&
    allFit(fields['images'], shapes.image) &&
    allFit(fields['deployments'], shapes.deployment) &&
    allFit(fields['pulls'], shapes.pull) &&
    (fields['creating'] === null || fits(fields['creating'], shapes.creating)) &&
    (fields['selected'] === null || fits(fields['selected'], shapes.selected))
  return sound ? (value as Ledger) : null
}

export type LoadedLedger = { ledger: Ledger; damaged: boolean }

export async function loadLedger(path: string): Promise<LoadedLedger> {
  try {
    const ledger = parseLedger(await readFile(path, 'utf8'))
    return ledger === null ? { ledger: emptyLedger, damaged: true } : { ledger, damaged: false }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { ledger: emptyLedger, damaged: false }
    if (error instanceof SnapError) throw error
    throw new SnapError('storage-failed', `read the ledger ${path}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** Returns where the damaged file went; it may be the only witness of what happened. */
export async function setAsideLedger(path: string): Promise<string> {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  await rename(path, aside)
  return aside
}

/** On disk when it returns, and never half: temporary file, fsync, rename, fsync of the directory. */
export async function saveLedger(path: string, ledger: Ledger): Promise<void> {
  const temporary = `${path}.new`
  try {
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(ledger, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    const directory = await open(dirname(path), 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  } catch (error) {
    throw new SnapError('storage-failed', `write the ledger ${path}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
