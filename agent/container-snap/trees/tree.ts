import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
} from 'node:fs'
import { setImmediate as pause } from 'node:timers/promises'
import { SnapError } from '../errors.ts'
import { bytesOf, child } from './names.ts'

export type Entry = {
  /** `special`: a socket, pipe or device. */
  kind: 'file' | 'directory' | 'link' | 'special'
  uid: number
  gid: number
  /** With setuid, setgid and sticky bit; 0 for a link, which has none of its own. */
  mode: number
  sizeBytes: number
  /** A link's target; a file's digest, once `addDigests` found that it matters. */
  content: string
  /** Extended attributes and access lists, as `readAttributes` writes them. */
  attributes: string
  /** Who it is to the file system: equal in a copy of a subvolume as long as nobody wrote to it. */
  identity: string
}

/** By path below the root, in the form of names.ts; the root itself is not in it. */
export type Tree = Map<string, Entry>

export type ReadOptions = {
  signal: AbortSignal
  attempt: string
  /** True for what is left out, with all that is below it. */
  omit?: (path: string) => boolean
  /** Takes entries with one identity for one content, as copies of a subvolume have it. */
  trustIdentity?: boolean
}

/** Synchronous calls are many times faster than promises here; a signal is heard in the pauses between. */
const pauseEveryMs = 50

export async function readTree(root: string, options: ReadOptions): Promise<Tree> {
  const tree: Tree = new Map()
  const pending = ['']
  const breathe = pacer(options)
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const bytes of namesIn(root, folder)) {
      const path = child(folder, bytes.toString('latin1'))
      if (options.omit?.(path)) continue
      const entry = unlessGone(() => readEntry(bytesOf(root, path)))
      if (entry === null) continue
      tree.set(path, entry)
      if (entry.kind === 'directory') pending.push(path)
      await breathe()
    }
  }
  return tree
}

/** Resolves at once but for now and then, when signals get their turn. */
export function pacer(options: { signal: AbortSignal; attempt: string }): () => Promise<void> | undefined {
  let lastMs = -Infinity
  return () => {
    const nowMs = performance.now()
    if (nowMs - lastMs < pauseEveryMs) return undefined
    lastMs = nowMs
    return pause().then(() => refuseWhenAborted(options))
  }
}

export function refuseWhenAborted({ signal, attempt }: { signal: AbortSignal; attempt: string }): void {
  if (signal.aborted) throw new SnapError('interrupted', `${attempt}: interrupted by a signal`)
}

/** A running system's files come and go while they are read. */
function unlessGone<T>(look: () => T): T | null {
  try {
    return look()
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function namesIn(root: string, folder: string): Buffer[] {
  const read = (): Buffer[] => readdirSync(bytesOf(root, folder), { encoding: 'buffer' })
  return folder === '' ? read() : (unlessGone(read) ?? [])
}

export function readEntry(path: Buffer): Entry {
  const stats = lstatSync(path)
  const { uid, gid, size: sizeBytes } = stats
  const identity = `${stats.ino} ${stats.ctimeMs} ${stats.mtimeMs} ${stats.size}`
  const mode = stats.mode & 0o7777
  const entry = { uid, gid, mode, sizeBytes, content: '', attributes: '', identity }
  if (stats.isFile()) return { ...entry, kind: 'file' }
  if (stats.isDirectory()) return { ...entry, kind: 'directory', sizeBytes: 0 }
  if (!stats.isSymbolicLink()) return { ...entry, kind: 'special' }
  const content = readlinkSync(path, { encoding: 'buffer' }).toString('latin1')
  return { ...entry, kind: 'link', mode: 0, content }
}

export type RootedTree = { root: string; tree: Tree }

/** Digests files only where two trees have one of the same size under a path: all others differ without it. */
export async function addDigests(trees: readonly RootedTree[], options: ReadOptions): Promise<void> {
  const breathe = pacer(options)
  const buffer = Buffer.allocUnsafe(256 * 1024)
  const paths = new Set(trees.flatMap(({ tree }) => [...tree.keys()]))
  for (const path of paths) {
    const files = trees.flatMap(({ root, tree }) => {
      const entry = tree.get(path)
      return entry?.kind === 'file' ? [{ root, entry }] : []
    })
    for (const { root, entry } of files) {
      const rivals = files.filter(
        ({ entry: other }) => other !== entry && other.sizeBytes === entry.sizeBytes,
      )
      const isDecided =
        options.trustIdentity && rivals.every(({ entry: other }) => other.identity === entry.identity)
      if (rivals.length === 0 || isDecided) continue
      entry.content = unlessGone(() => digest(bytesOf(root, path), entry.sizeBytes, buffer)) ?? 'gone'
    }
    await breathe()
  }
}

/** Reads no more than the size it had when it was listed, so a log that grows comes to an end. */
function digest(path: Buffer, sizeBytes: number, buffer: Buffer): string {
  const hash = createHash('sha256')
  const file = openPlain(path)
  try {
    let left = sizeBytes
    while (left > 0) {
      const count = readSync(file, buffer, 0, Math.min(left, buffer.length), null)
      if (count === 0) break
      hash.update(buffer.subarray(0, count))
      left -= count
    }
  } finally {
    closeSync(file)
  }
  return hash.digest('base64')
}

/** Opens a regular file and nothing else, also when a link or pipe was put in its place since it was listed. */
export function openPlain(path: Buffer): number {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw gone(path)
    throw error
  }
  if (fstatSync(file).isFile()) return file
  closeSync(file)
  throw gone(path)
}

function gone(path: Buffer): Error {
  return Object.assign(new Error(`${path.toString()}: is no file any more`), { code: 'ENOENT' })
}

/** Times do not count, and neither does a directory's own content: that is in its entries. */
export function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.kind === b.kind &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.mode === b.mode &&
    a.sizeBytes === b.sizeBytes &&
    a.content === b.content &&
    a.attributes === b.attributes
  )
}
