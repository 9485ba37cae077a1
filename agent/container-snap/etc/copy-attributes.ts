import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../exec.ts'
import type { ReadOptions } from '../trees/tree.ts'

/**
 * Extended attributes, access lists and capabilities of a few paths, which Node cannot set. GNU tar puts the whole
 * entry anew. Labels are left out: they belong to the policy of the system that will run.
 */
export async function copyAttributes(
  roots: { local: string; next: string },
  paths: readonly string[],
  options: ReadOptions,
): Promise<void> {
  if (paths.length === 0) return
  const list = join(roots.next, '.container-snap-merge.list')
  const archive = join(roots.next, '.container-snap-merge.tar')
  try {
    await writeFile(list, Buffer.from(paths.map((path) => `./${path}\0`).join(''), 'latin1'), { mode: 0o600 })
    await run(createCommand(roots.local, list, archive), options)
    await run(extractCommand(roots.next, archive), options)
  } finally {
    await rm(list, { force: true })
    await rm(archive, { force: true })
  }
}

const withAttributes = ['--xattrs', '--xattrs-include=*', '--xattrs-exclude=security.selinux'] as const

function createCommand(root: string, list: string, archive: string): readonly [string, ...string[]] {
  const names = ['--no-recursion', '--null', '--verbatim-files-from', '--no-unquote', `--files-from=${list}`]
  // What went away meanwhile has nothing to carry.
  const rest = ['--hard-dereference', '--ignore-failed-read', `--directory=${root}`, ...names]
  return ['tar', '--create', `--file=${archive}`, '--format=posix', ...withAttributes, ...rest]
}

function extractCommand(root: string, archive: string): readonly [string, ...string[]] {
  const owners = ['--numeric-owner', '--same-owner', '--same-permissions']
  return ['tar', '--extract', `--file=${archive}`, ...withAttributes, ...owners, `--directory=${root}`]
}
