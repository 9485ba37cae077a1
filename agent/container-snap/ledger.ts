import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SnapError } from './errors.ts'
import { withReserve } from './reserve.ts'

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
  /** Set last by `deploy`: /etc is merged, everything is on disk, the entry is staged. Null for a bare copy. */
  stagedAt: string | null
  /** Number of its last activation on this host; null while there was none. */
  activation: number | null
  /** When it proved itself. */
  blessedAt: string | null
  /** Why it must not be booted again; null while nothing is known against it. */
  bad: string | null
  /** What its /etc was merged of, as one word; a deployment of the same need not be made twice. */
  source: string | null
  /** What a plan wants on its kernel's line, beside the image's and the machine's. */
  kernelArguments: readonly string[]
}

/** Written before the commit point of an activation and taken away at the first repair after it. */
export type Activating = {
  subvolumeUuid: string
  activation: number
  /** Boot during which it was activated: under another one it was tried. */
  bootId: string
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
  /**
   * Tells whose a copy is that was made just before a crash, where two images share its layer. A deployment's stays
   * until all of it is done: a copy that is found under it belongs to nobody and is thrown away.
   */
  creating: { name: string; imageId: string; purpose: 'copy' | 'deployment' } | null
  /** Which of the images that share a layer `switch` was asked for. */
  selected: { subvolumeUuid: string; imageId: string } | null
  /** The last activation, until a boot has shown what came of it. */
  activating: Activating | null
  /** Number of the last activation on this host; it only grows. */
  activations: number
}

export const emptyLedger: Ledger = {
  version: 1,
  images: [],
  deployments: [],
  pulls: [],
  creating: null,
  selected: null,
  activating: null,
  activations: 0,
}

type FieldKind = 'text' | 'texts' | 'number' | 'flag' | 'text-or-null' | 'number-or-null'
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
    stagedAt: 'text-or-null',
    activation: 'number-or-null',
    blessedAt: 'text-or-null',
    bad: 'text-or-null',
    source: 'text-or-null',
    kernelArguments: 'texts',
  },
  pull: { digest: 'text', manifestDigests: 'texts', bootId: 'text', startedAt: 'text' },
  creating: { name: 'text', imageId: 'text', purpose: 'text' },
  selected: { subvolumeUuid: 'text', imageId: 'text' },
  activating: { subvolumeUuid: 'text', activation: 'number', bootId: 'text' },
} as const satisfies Record<string, Shape>

const notYet = { stagedAt: null, activation: null, blessedAt: null, bad: null, source: null } as const

/** What the absence of a field means that came after the first ledgers; a ledger without it is not damaged. */
const added = {
  ledger: { activating: null, activations: 0 },
  deployment: { ...notYet, kernelArguments: [] },
  creating: { purpose: 'copy' },
} as const

function filled(value: unknown, fields: object): unknown {
  if (Array.isArray(value)) return value.map((item) => filled(item, fields))
  return typeof value === 'object' && value !== null ? { ...fields, ...value } : value
}

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
    case 'number-or-null':
      return value === null || typeof value === 'number'
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

function isSound(fields: Readonly<Record<string, unknown>>): boolean {
  const fitsOrNull = (name: 'creating' | 'selected' | 'activating'): boolean =>
    fields[name] === null || fits(fields[name], shapes[name])
  return (
    fields['version'] === 1 &&
    allFit(fields['images'], shapes.image) &&
    allFit(fields['deployments'], shapes.deployment) &&
    allFit(fields['pulls'], shapes.pull) &&
    fitsOrNull('creating') &&
    fitsOrNull('selected') &&
    fitsOrNull('activating') &&
    typeof fields['activations'] === 'number'
  )
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
  const found = value as Record<string, unknown>
  const { version } = found
  if (typeof version === 'number' && version > 1) {
    throw new SnapError(
      'storage-failed',
      `read the ledger: version ${version} is newer than this program; update it`,
    )
  }
  const fields: Record<string, unknown> = {
    ...added.ledger,
    ...found,
    deployments: filled(found['deployments'], added.deployment),
    creating: filled(found['creating'], added.creating),
  }
  return isSound(fields) ? (fields as Ledger) : null
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
  try {
    const text = `${JSON.stringify(ledger, null, 2)}\n`
    await withReserve(path, async () => replaceFile(path, text))
  } catch (error) {
    throw new SnapError('storage-failed', `write the ledger ${path}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
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
}
