import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SourceFile } from '../desired-state/types.ts'
import { ControllerError } from '../errors.ts'
import { defaultFileLimits, isDesiredStateFile, tooLarge } from './file-limits.ts'
import type { FileLimits } from './file-limits.ts'

export type FolderSourceConfig = {
  readonly path: string
  readonly limits?: Partial<FileLimits>
  /** How long a folder that changed must stay as it is before it is taken. */
  readonly settleMs?: number
}

type FolderSnapshot = {
  /** SHA-256 over the sorted list of paths and contents. */
  readonly commit: string
  readonly subject: string
  readonly files: readonly SourceFile[]
}

/** Folders below each other, and entries of all kinds: what is passed over costs time too. */
const DEPTH_MAX = 32
const ENTRIES_MAX = 20_000
const TRIES = 3

/**
 * A folder of this machine as a source, for who keeps no git. It is never taken while it changes: nobody commits
 * here, so that two looks some time apart must see the same.
 */
export function createFolderSource(config: FolderSourceConfig): {
  poll(signal: AbortSignal): Promise<FolderSnapshot>
} {
  const limits = { ...defaultFileLimits, ...config.limits }
  const settleMs = config.settleMs ?? 500
  let last: FolderSnapshot | null = null
  return {
    async poll(signal) {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const { snapshot, changes } = await read(config.path, limits, signal)
        if (snapshot.commit === last?.commit) return last
        await sleep(settleMs, undefined, { signal })
        const again = await read(config.path, limits, signal)
        if (again.snapshot.commit !== snapshot.commit || again.changes !== changes) continue
        last = snapshot
        return snapshot
      }
      throw new ControllerError(
        'SourceUnreachable',
        `reading folder ${config.path}: it changes all the time; write files under another name and rename them`,
      )
    },
  }
}

type Look = {
  readonly snapshot: FolderSnapshot
  /** When each file changed: two looks may both meet one that its writer has just emptied. */
  readonly changes: string
}

async function read(path: string, limits: FileLimits, signal: AbortSignal): Promise<Look> {
  const root = await rootOf(path)
  const files: SourceFile[] = []
  const changedNs: bigint[] = []
  let totalBytes = 0
  for (const name of await namesIn(root, path, signal)) {
    signal.throwIfAborted()
    const found = await readRegularFile(join(root, name), name, limits)
    if (found === null) continue
    const { text } = found
    changedNs.push(found.changedNs)
    totalBytes += Buffer.byteLength(text)
    files.push({ path: name, text })
    if (files.length > limits.maxFiles) throw tooLarge(`there are more than ${limits.maxFiles} YAML files`)
    if (totalBytes > limits.maxTotalBytes)
      throw tooLarge(`the YAML files exceed ${limits.maxTotalBytes} bytes`)
  }
  const listed = JSON.stringify(files.map((file) => [file.path, file.text]))
  const commit = createHash('sha256').update(listed).digest('hex')
  return { snapshot: { commit, subject: `${files.length} files`, files }, changes: changedNs.join(' ') }
}

async function rootOf(path: string): Promise<string> {
  const found = await realpath(path).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error) throw unreadable(path, found)
  if ((await stat(found)).isDirectory()) return found
  throw new ControllerError(
    'SourceRefMissing',
    `reading folder ${path}: it is no folder; correct the source's path`,
  )
}

/** Sorted. Symlinks are passed over, as in git: they could name what is not ours to read. */
async function namesIn(root: string, shown: string, signal: AbortSignal): Promise<readonly string[]> {
  const names: string[] = []
  const open = ['']
  for (let entries = 0; ;) {
    const folder = open.pop()
    if (folder === undefined) return names.toSorted()
    signal.throwIfAborted()
    const found = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
      throw unreadable(join(shown, folder), error as NodeJS.ErrnoException)
    })
    entries += found.length
    if (entries > ENTRIES_MAX || folder.split('/').length > DEPTH_MAX) {
      throw tooLarge(`folder ${shown} has more than ${ENTRIES_MAX} entries or ${DEPTH_MAX} levels`)
    }
    for (const entry of found) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory() && (!entry.name.startsWith('.') || name === '.bootfleet')) open.push(name)
      if (entry.isFile() && isDesiredStateFile(name)) names.push(name)
    }
  }
}

/** Null when it is none, or gone since it was listed. */
async function readRegularFile(
  path: string,
  name: string,
  limits: FileLimits,
): Promise<{ readonly text: string; readonly changedNs: bigint } | null> {
  let file: FileHandle
  try {
    // Never a symlink that took the name since, and never waiting for a writer of a pipe.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const cause = error as NodeJS.ErrnoException
    if (cause.code === 'ENOENT' || cause.code === 'ELOOP') return null
    throw unreadable(path, cause)
  }
  try {
    const status = await file.stat({ bigint: true })
    if (!status.isFile()) return null
    const buffer = Buffer.alloc(Math.min(Number(status.size), limits.maxFileBytes) + 1)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    if (bytesRead <= limits.maxFileBytes) {
      return { text: buffer.toString('utf8', 0, bytesRead), changedNs: status.ctimeNs }
    }
    const found = `has more than the limit of ${limits.maxFileBytes} bytes`
    throw tooLarge(`file ${JSON.stringify(name)} ${found}`)
  } finally {
    await file.close()
  }
}

function unreadable(path: string, cause: NodeJS.ErrnoException): ControllerError {
  const missing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR'
  const what = missing ? 'there is no such folder' : (cause.code ?? cause.message)
  const message = `reading folder ${path}: ${what}; correct the source's path or its permissions`
  return new ControllerError(missing ? 'SourceRefMissing' : 'SourceUnreachable', message, { cause })
}
