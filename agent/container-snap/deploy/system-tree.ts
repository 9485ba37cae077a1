import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapError } from '../errors.ts'
import type { Snapshot } from '../store/snapshots.ts'

export async function requireSystemTree(snapshot: Snapshot, attempt: string): Promise<void> {
  const { path } = snapshot
  const release = await Promise.all([
    hasText(join(path, 'etc/os-release')),
    hasText(join(path, 'usr/lib/os-release')),
  ])
  const missing = [
    release.includes(true) ? [] : ['os-release with text in it'],
    (await isDirectory(join(path, 'usr'))) ? [] : ['/usr'],
    (await isDirectory(join(path, 'var'))) ? [] : ['/var'],
  ].flat()
  if (missing.length === 0) return
  const found = `no bootable system tree, it has no ${missing.join(' and no ')}`
  throw new SnapError('refused', `${attempt} ${snapshot.id}: ${found}`)
}

async function hasText(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile() && found.size > 0,
    () => false,
  )
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
