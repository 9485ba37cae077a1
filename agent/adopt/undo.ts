import { access, lstat, readdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeDurably } from '../durable-file.ts'
import { AgentError } from '../errors.ts'
import { loaderPlace, restoreLoader } from './boot.ts'
import { ADOPTED_ETC, CARRIED_BASE, CARRIED_ETC } from './carry.ts'
import type { Journal } from './journal.ts'
import { journalPath } from './journal.ts'
import type { ListedSubvolume } from './mounts.ts'
import { mountsOf, requireRoot, subvolumesOf } from './mounts.ts'
import type { WorkOptions, Workplace } from './workplace.ts'
import { caller, finder, withTopLevel } from './workplace.ts'
import { writtenSince } from './written.ts'

/** `changes`: what the new root wrote to folders that go. */
export type UndoOptions = WorkOptions & { readonly changes: 'kept' | 'discarded' }

const IN_STORE = '/container-snap/snapshots/btrfs/subvolumes/'

export async function runsDeployment(options: WorkOptions): Promise<boolean> {
  return requireRoot(await mountsOf(options.sysroot, options), options.sysroot).root.includes(IN_STORE)
}

/**
 * Takes an adoption back, from wherever it is: what boots first, then what was made. `rebootFirst`: the new root
 * runs, and what it runs from cannot go yet.
 */
export async function undoAdoption(options: UndoOptions, journal: Journal): Promise<'done' | 'rebootFirst'> {
  const { sysroot } = options
  const runs = await runsDeployment(options)
  await requireLoaderPlace(options, journal)
  if (!runs && options.changes === 'kept') await requireUnwritten(options, journal)
  await forgetLoader(sysroot, journal)
  await restoreLoader(sysroot, journal)
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

async function requireUnwritten(options: WorkOptions, journal: Journal): Promise<void> {
  const [call, find] = [caller(options), finder(options)]
  const written = await withTopLevel(options, async (top) => writtenSince({ top, call, find }, journal))
  if (written.length === 0) return
  const found = `the new root, or somebody else, has written to ${written.join(', ')} after the copy, and that would be deleted`
  const remedy = `take over what is needed (mount -o subvol=${written[0]} UUID=${journal.root.uuid} /mnt), then say it with --discard-changes`
  throw new AgentError('AdoptRefused', `undo the adoption: ${found}; ${remedy}`)
}

/** Files that cannot be seen would stay, and name what goes. */
async function requireLoaderPlace(options: WorkOptions, journal: Journal): Promise<void> {
  const at = loaderPlace(journal)
  // It may be mounted only when somebody looks.
  await readdir(join(options.sysroot, at)).catch(() => [])
  if ((await mountsOf(options.sysroot, options)).some((one) => one.at === at)) return
  throw new AgentError(
    'AdoptRefused',
    `undo the adoption: nothing is mounted at ${at}, where the boot loader's files are; mount it`,
  )
}

/** Else container-snap's repair, in whichever root comes next, puts the entries back from its ledger. */
async function forgetLoader(sysroot: string, { kernelArguments }: Journal): Promise<void> {
  const file = join(sysroot, 'var/lib/container-snap/machine.json')
  const isThere = await access(file).then(
    () => true,
    () => false,
  )
  if (!isThere) return
  const text = JSON.stringify({ version: 1, loader: { kind: 'none' }, kernelArguments }, null, 2)
  await writeDurably(file, `${text}\n`, 0o600)
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
