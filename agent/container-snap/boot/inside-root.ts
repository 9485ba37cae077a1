import { lstat, readlink } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'

const linksMax = 40

/**
 * Where `path` is in a tree that is not the running root; null where there is nothing. An absolute link in the tree
 * means the tree's own root: followed by the kernel it would lead to the running system's file.
 */
export async function resolveInside(root: string, path: string): Promise<string | null> {
  let rest = path.split('/').filter(Boolean)
  let done: string[] = []
  let links = 0
  while (links <= linksMax) {
    const [name, ...behind] = rest
    if (name === undefined) return join(root, ...done)
    rest = behind
    if (name === '.') continue
    if (name === '..') {
      done = done.slice(0, -1)
      continue
    }
    const here = join(root, ...done, name)
    const found = await lstat(here).catch(nothing)
    if (found === null) return null
    if (!found.isSymbolicLink()) {
      done = [...done, name]
      continue
    }
    links += 1
    const target = await readlink(here)
    if (isAbsolute(target)) done = []
    rest = [...target.split('/').filter(Boolean), ...rest]
  }
  return null
}

function nothing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
  throw error
}
