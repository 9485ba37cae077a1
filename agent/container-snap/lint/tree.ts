import type { Stats } from 'node:fs'
import { lstat, readFile, readdir, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { resolveInside } from '../boot/inside-root.ts'
import { SnapError } from '../errors.ts'

export type Found = { kind: 'file' | 'directory' | 'other'; sizeBytes: number; executable: boolean }

/**
 * An unpacked system, seen as the system itself would see it: an absolute link leads to the tree's own root, and
 * nothing leads out of it. Paths have no slash in front.
 */
export type Tree = {
  root: string
  /** What a path leads to, links followed; null where that is nothing. */
  find: (path: string) => Promise<Found | null>
  /** Where the path itself is a link: its target as written. */
  linkTarget: (path: string) => Promise<string | null>
  /** Sorted; empty where there is no such folder. */
  list: (path: string) => Promise<readonly string[]>
  /** Null where there is no such file. */
  bytes: (path: string) => Promise<Buffer | null>
}

const readBytesMax = 64 * 1024 * 1024

export function openTree(root: string): Tree {
  const locate = async (path: string): Promise<Located | null> => {
    const located = await resolveInside(root, path)
    return located === null ? null : { path: located, stats: await lstat(located) }
  }
  return {
    root,
    find: async (path) => readable(locate(path).then((located) => located && describe(located.stats))),
    linkTarget: async (path) => readable(linkTarget(root, path)),
    list: async (path) => {
      const located = await readable(locate(path))
      if (located === null || !located.stats.isDirectory()) return []
      return (await readable(readdir(located.path))).toSorted()
    },
    bytes: async (path) => {
      const located = await readable(locate(path))
      // A pipe or device in a hostile image would keep the reader waiting.
      if (located === null || !located.stats.isFile() || located.stats.size > readBytesMax) return null
      return readable(readFile(located.path))
    },
  }
}

export async function readText(tree: Tree, path: string): Promise<string | null> {
  return (await tree.bytes(path))?.toString('utf8') ?? null
}

type Located = { path: string; stats: Stats }

function describe(stats: Stats): Found {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other'
  return { kind, sizeBytes: stats.size, executable: (stats.mode & 0o111) !== 0 }
}

async function linkTarget(root: string, path: string): Promise<string | null> {
  const parts = path.split('/')
  const folder = await resolveInside(root, dirname(path))
  if (folder === null) return null
  const target = readlink(join(folder, parts.at(-1) ?? ''))
  return target.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EINVAL') return null
    throw error
  })
}

/** What cannot be read cannot be judged: a finding made of it would be wrong. */
async function readable<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    throw new SnapError('storage-failed', `lint: ${(error as Error).message}; run it as root`, {
      cause: error,
    })
  }
}
