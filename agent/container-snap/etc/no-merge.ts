import { lstat, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { resolveInside } from '../boot/inside-root.ts'
import { SnapError } from '../errors.ts'
import { ancestorsOf, pathOf } from '../trees/names.ts'

const folder = 'usr/lib/container-snap/etc-no-merge.d'
const sizeBytesMax = 1024 * 1024

/** What the image at `root` wants always new, whatever the host did to it: a file, or a folder with all in it. */
export async function readNoMerge(root: string): Promise<(path: string) => boolean> {
  const inside = await resolveInside(root, folder)
  const names = inside === null ? [] : await readdir(inside).catch(() => [])
  const listed = new Set<string>()
  for (const name of names) {
    const file = join(inside ?? root, name)
    const stats = await lstat(file)
    if (!stats.isFile()) continue
    if (stats.size > sizeBytesMax) {
      throw new SnapError('refused', `read ${folder}/${name} of the image: over 1 MiB; make the list shorter`)
    }
    for (const line of (await readFile(file, 'utf8')).split('\n')) {
      const path = line.trim().replace(/^\/*(etc\/)?/, '')
      if (path !== '' && !path.startsWith('#')) listed.add(pathOf(path.replace(/\/+$/, '')))
    }
  }
  if (listed.size === 0) return () => false
  return (path) => listed.has(path) || ancestorsOf(path).some((ancestor) => listed.has(ancestor))
}
