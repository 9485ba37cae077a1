import { createHash } from 'node:crypto'
import { lstat, readFile, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'

export type EtcDifference = {
  readonly path: string
  /** `left`: only the old /etc has it; `new`: only the new one. */
  readonly kind: 'left' | 'new' | 'changed'
}

/** The old /etc against the new one, by path; a folder that only one has stands for what is in it. */
export async function compareEtc(before: string, after: string): Promise<readonly EtcDifference[]> {
  const found: EtcDifference[] = []
  const pending = ['']
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const here = folder
    const names = new Set([...(await namesIn(join(before, here))), ...(await namesIn(join(after, here)))])
    for (const name of names) {
      const path = join(here, name)
      const [old, now] = [await lookAt(join(before, path)), await lookAt(join(after, path))]
      if (old === null || now === null) found.push({ path, kind: old === null ? 'new' : 'left' })
      else if (old !== now) found.push({ path, kind: 'changed' })
      if (old?.startsWith('folder') === true && now?.startsWith('folder') === true) pending.push(path)
    }
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => [])
}

/** All that counts, as one word; null where there is nothing. */
async function lookAt(path: string): Promise<string | null> {
  const there = await lstat(path).catch(() => null)
  if (there === null) return null
  const owner = `${there.mode & 0o7777} ${there.uid} ${there.gid}`
  if (there.isDirectory()) return `folder ${owner}`
  if (there.isSymbolicLink()) return `link ${await readlink(path)}`
  if (!there.isFile()) return 'special'
  return `file ${owner} ${createHash('sha256')
    .update(await readFile(path))
    .digest('hex')}`
}
