import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapError } from '../errors.ts'
import { unfinishedSuffix } from './entry-name.ts'
import type { EspDisk } from './esp-disk.ts'
import type { GrubEntries } from './grub-entries.ts'
import { noEntries, parseEntries, renderEntries } from './grub-entries.ts'
import type { GrubEntry } from './grub-entry.ts'
import type { GrubEnv } from './grub-env.ts'
import { isTriesName, parseEnv, renderEnv, triesName } from './grub-env.ts'
import { menuId } from './grub-script.ts'
import type { KernelPlace } from './kernel-files.ts'
import { kernelsFolder } from './kernel-files.ts'
import type { BootEntry } from './loader.ts'
import { namesIn } from './names.ts'

/** The file system that GRUB reads our kernels and entries from, and counts tries on. */
export type GrubFiles = KernelPlace & { entriesFile: string; envFile: string }

export function openGrubFiles(directory: string, disk: EspDisk): GrubFiles {
  const kernels = join(directory, kernelsFolder)
  const entriesFile = join(kernels, 'entries.cfg')
  return {
    directory,
    name: "GRUB's file system",
    kernels,
    disk,
    entriesFile,
    envFile: join(kernels, 'env'),
    // A torn one may have named any of them.
    entryTexts: async () => {
      const text = await textOf(entriesFile)
      return parseEntries(text ?? '').torn && text !== null ? namesIn(kernels) : [text ?? '']
    },
  }
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new SnapError('storage-failed', `read ${path}: ${error.message}`, { cause: error })
  })
}

export async function readGrubEntries(files: GrubFiles): Promise<GrubEntries> {
  const text = await textOf(files.entriesFile)
  return text === null ? noEntries : parseEntries(text)
}

/** Nothing but a repair writes over what it could not read: the way back may have stood there. */
export async function requireWhole(files: GrubFiles): Promise<readonly GrubEntry[]> {
  const { entries, torn } = await readGrubEntries(files)
  if (!torn) return entries
  throw new SnapError(
    'storage-failed',
    `read ${files.entriesFile}: it was cut short or changed by hand; container-snap repair writes it anew`,
  )
}

/** Null for a block that is torn or not there. */
export async function readEnv(files: GrubFiles): Promise<GrubEnv | null> {
  const text = await textOf(files.envFile)
  return text === null ? null : parseEnv(text)
}

/** What GRUB makes of a trial whose count it cannot read is none left. */
export function triesLeft({ activation }: GrubEntry, env: GrubEnv | null): number {
  const value = env?.[triesName(activation)] ?? ''
  return /^[0-9]$/.test(value) ? Number(value) : 0
}

export function bootEntry(entry: GrubEntry, env: GrubEnv | null): BootEntry {
  const { deploymentId, activation } = entry
  const uncounted = { deploymentId, activation, triesLeft: null, triesDone: null }
  switch (entry.kind) {
    case 'staged':
      return { ...uncounted, kind: 'staged', file: 'bootfleet-staged' }
    case 'good':
      return { ...uncounted, kind: 'good', file: menuId(entry) }
    case 'bad':
      return { ...uncounted, kind: 'bad', file: menuId(entry), triesLeft: 0, triesDone: entry.triesDone }
    case 'trial': {
      if (entry.tries === null) return { ...uncounted, kind: 'counted', file: menuId(entry) }
      const left = triesLeft(entry, env)
      const kind = left > 0 ? 'counted' : 'bad'
      return {
        ...uncounted,
        kind,
        file: menuId(entry),
        triesLeft: left,
        triesDone: Math.max(0, entry.tries - left),
      }
    }
  }
}

/** What is written of entries; `counts` are the tries of those that begin their trial, by activation. */
export type Publication = {
  entries: readonly GrubEntry[]
  counts?: Readonly<Record<number, number>>
}

/**
 * A count is there before the entry that it is of, and goes after it: GRUB takes an entry without its count for one
 * that had all its tries. Every file changes as a whole, by its new name. Returns whether anything changed.
 */
export async function publish(files: GrubFiles, { entries, counts = {} }: Publication): Promise<boolean> {
  const found = await readEnv(files)
  const wanted = wantedEnv(entries, found, counts)
  const both = { ...found, ...wanted }
  const text = renderEntries(entries)
  const steps = [
    { path: files.envFile, text: renderEnv(both), due: await isEnvDue(files, found, both) },
    { path: files.entriesFile, text, due: (await textOf(files.entriesFile)) !== text },
    { path: files.envFile, text: renderEnv(wanted), due: !isSame(both, wanted) },
  ]
  const due = steps.filter((step) => step.due)
  for (const step of due) await replace(files, step.path, step.text)
  return due.length > 0
}

/** None is made where nothing is counted; a torn one is written anew. */
async function isEnvDue(files: GrubFiles, found: GrubEnv | null, wanted: GrubEnv): Promise<boolean> {
  if (found !== null) return !isSame(found, wanted)
  return Object.keys(wanted).length > 0 || (await textOf(files.envFile)) !== null
}

/** What others keep in the block stays. */
function wantedEnv(
  entries: readonly GrubEntry[],
  found: GrubEnv | null,
  counts: Readonly<Record<number, number>>,
): GrubEnv {
  const others = Object.entries(found ?? {}).filter(([name]) => !isTriesName(name))
  const tries = entries.flatMap((entry) => {
    if (entry.kind !== 'trial' || entry.tries === null) return []
    const left = counts[entry.activation] ?? triesLeft(entry, found)
    return [[triesName(entry.activation), String(left)]]
  })
  return Object.fromEntries([...others, ...tries]) as GrubEnv
}

function isSame(a: GrubEnv, b: GrubEnv): boolean {
  const lines = (env: GrubEnv): string[] =>
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}`)
      .toSorted()
  return lines(a).join('\n') === lines(b).join('\n')
}

async function replace(files: GrubFiles, path: string, text: string): Promise<void> {
  await files.disk.write(`${path}${unfinishedSuffix}`, text)
  await files.disk.rename(`${path}${unfinishedSuffix}`, path)
  await files.disk.sync(files.kernels)
}
