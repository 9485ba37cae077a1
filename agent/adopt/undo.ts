import { lstat, readdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { restoreLoader } from './boot.ts'
import { ADOPTED_ETC, CARRIED_BASE, CARRIED_ETC } from './carry.ts'
import type { Journal } from './journal.ts'
import { journalPath } from './journal.ts'
import type { ListedSubvolume } from './mounts.ts'
import { mountsOf, requireRoot, subvolumesOf } from './mounts.ts'
import type { WorkOptions, Workplace } from './workplace.ts'
import { caller, withTopLevel } from './workplace.ts'

const IN_STORE = '/container-snap/snapshots/btrfs/subvolumes/'

export async function runsDeployment(options: WorkOptions): Promise<boolean> {
  return requireRoot(await mountsOf(options.sysroot, options), options.sysroot).root.includes(IN_STORE)
}

/**
 * Takes an adoption back, from wherever it is: what boots first, then what was made. `rebootFirst`: the new root
 * runs, and what it runs from cannot go yet.
 */
export async function undoAdoption(options: WorkOptions, journal: Journal): Promise<'done' | 'rebootFirst'> {
  const { sysroot } = options
  await restoreLoader(sysroot, journal)
  const runs = await runsDeployment(options)
  await withTopLevel(options, async (top) => {
    const call = caller(options)
    const id = String(journal.root.defaultId)
    await call(['btrfs', 'subvolume', 'set-default', id, top], `make subvolume ${id} the default`)
    await call(['btrfs', 'filesystem', 'sync', top], 'sync the file system')
    if (!runs) await removeSubvolumes({ top, call }, journal, await subvolumesOf(top, options))
  })
  if (runs) return 'rebootFirst'
  await removeFiles(sysroot, journal)
  return 'done'
}

/** Those that were made, and those of the store; the innermost first. */
async function removeSubvolumes(
  { top, call }: Pick<Workplace, 'top' | 'call'>,
  { created, varSubvolume }: Journal,
  all: readonly ListedSubvolume[],
): Promise<void> {
  const names = created.map(({ name }) => name)
  const store = varSubvolume === null ? null : `${varSubvolume.replace(/^\//, '')}/lib/container-snap/`
  const isOurs = (path: string): boolean =>
    names.some((name) => path === name || path.startsWith(`${name}/`)) ||
    (store !== null && path.startsWith(store))
  const doomed = all.map(({ path }) => path).filter(isOurs)
  for (const path of doomed.toSorted((a, b) => b.length - a.length))
    await call(
      ['btrfs', 'subvolume', 'delete', '--commit-after', join(top, path)],
      `delete the subvolume ${path}`,
    )
  for (const name of names.filter((one) => one.includes('/')))
    await rmdir(join(top, dirname(name))).catch(() => {})
}

/** The journal last: until then the same can be said again. */
async function removeFiles(sysroot: string, { created, varSubvolume, hadFolder }: Journal): Promise<void> {
  const store = join(sysroot, 'var/lib/container-snap')
  const isPlaceOfStore = created.some(({ at }) => at === '/var/lib/container-snap')
  if (varSubvolume !== null) await rm(store, { recursive: true, force: true })
  else if (isPlaceOfStore) await rmdir(store).catch(() => {})
  for (const path of [ADOPTED_ETC, `${ADOPTED_ETC}.new`, CARRIED_ETC, CARRIED_BASE])
    await rm(join(sysroot, path), { recursive: true, force: true })
  const file = journalPath(sysroot)
  await rm(file, { force: true })
  await rm(`${file}.new`, { force: true })
  if (!hadFolder && (await isEmptyFolder(dirname(file)))) await rmdir(dirname(file))
}

async function isEmptyFolder(path: string): Promise<boolean> {
  const there = await lstat(path).catch(() => null)
  return there?.isDirectory() === true && (await readdir(path)).length === 0
}
