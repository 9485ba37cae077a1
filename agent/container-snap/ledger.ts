import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SnapError } from './errors.ts'
import { added, filled, isSound } from './ledger-shape.ts'
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

/** What a person made boot next. */
export type Move = {
  id: string
  /** The deployment. */
  to: string
  /** Empty where nobody knows of which image it is. */
  digest: string
  user: string
  command: string
  at: string
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
  /** The last change of what boots, where a person asked for it; null where the agent did, or nobody yet. */
  moved: Move | null
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
  moved: null,
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
