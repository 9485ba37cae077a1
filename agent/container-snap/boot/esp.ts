import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapError } from '../errors.ts'
import type { EntryName } from './entry-name.ts'
import { entryBase, hexDigitsMin, parseEntryName, unfinishedSuffix } from './entry-name.ts'
import type { EntryText } from './entry-text.ts'
import { parseEntry } from './entry-text.ts'
import type { EspDisk } from './esp-disk.ts'
import type { KernelPlace } from './kernel-files.ts'
import { kernelsFolder } from './kernel-files.ts'
import type { BootDeployment } from './loader.ts'
import { namesIn } from './names.ts'

/** An EFI system partition, wherever it is mounted. */
export type Esp = KernelPlace & {
  /** Where the loader reads its entries. */
  entries: string
}

export function openEsp(directory: string, disk: EspDisk): Esp {
  const entries = join(directory, 'loader/entries')
  return {
    directory,
    name: 'the EFI system partition',
    entries,
    kernels: join(directory, kernelsFolder),
    disk,
    // Those made by hand included.
    entryTexts: async () =>
      Promise.all(
        (await namesIn(entries))
          .filter((name) => !name.endsWith(unfinishedSuffix))
          .map(async (name) => readFile(join(entries, name), 'latin1')),
      ),
  }
}

/** Files written where the ESP ought to be mounted would be seen by no loader. */
export async function requireEsp(esp: Esp): Promise<void> {
  const names = await namesIn(esp.directory)
  if (names.some((name) => ['efi', 'loader'].includes(name.toLowerCase()))) return
  throw new SnapError(
    'storage-failed',
    `open the EFI system partition ${esp.directory}: no EFI and no loader folder in it; mount it there, ` +
      'or name its place in machine.json, loader.esp',
  )
}

/** One of our entries. `text` is null for a torn one. */
export type EntryFile = EntryName & { file: string; text: EntryText | null }

export async function readEntryFiles(esp: Esp): Promise<readonly EntryFile[]> {
  const named = (await namesIn(esp.entries)).toSorted().flatMap((file) => {
    const name = parseEntryName(file)
    return name === null ? [] : [{ ...name, file }]
  })
  const read = await Promise.all(
    named.map(async (entry) => {
      const text = await textOf(join(esp.entries, entry.file))
      return text === null ? [] : [{ ...entry, text: parseEntry(text) }]
    }),
  )
  return read.flat()
}

/** Null for one that is gone: who only looks holds no lock. */
async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new SnapError('storage-failed', `read ${path}: ${error.message}`, { cause: error })
  })
}

/** Those of a deployment; a torn one is known by its name alone. */
export function entriesOf(
  files: readonly EntryFile[],
  deployment: Pick<BootDeployment, 'id' | 'imageId' | 'number'>,
): readonly EntryFile[] {
  const bases = new Set(
    files.filter((one) => one.text?.deploymentId === deployment.id).map((one) => one.base),
  )
  if (bases.size === 0) bases.add(freeBase(files, deployment))
  return files.filter((one) =>
    one.text === null ? bases.has(one.base) : one.text.deploymentId === deployment.id,
  )
}

/** The name of a deployment's entries, without their endings. */
export function baseOf(
  files: readonly EntryFile[],
  deployment: Pick<BootDeployment, 'id' | 'imageId' | 'number'>,
): string {
  return files.find((one) => one.text?.deploymentId === deployment.id)?.base ?? freeBase(files, deployment)
}

/** Two images may begin with the same digits; the later one then gets more of its own. */
function freeBase(
  files: readonly EntryFile[],
  { id, imageId, number }: Pick<BootDeployment, 'id' | 'imageId' | 'number'>,
): string {
  const isTaken = (base: string): boolean =>
    files.some((one) => one.base === base && one.text !== null && one.text.deploymentId !== id)
  for (let hexDigits = hexDigitsMin; hexDigits < imageId.length; hexDigits += 4) {
    const base = entryBase(imageId, number, hexDigits)
    if (!isTaken(base)) return base
  }
  return entryBase(imageId, number, imageId.length)
}

/** Under its name only when it is whole: what is cut before that has a name that no loader looks at. */
export async function publishEntry(esp: Esp, file: string, text: string): Promise<void> {
  const unfinished = join(esp.entries, `${file}${unfinishedSuffix}`)
  await esp.disk.write(unfinished, text)
  await esp.disk.rename(unfinished, join(esp.entries, file))
  await esp.disk.sync(esp.entries)
}

export async function removeEntries(esp: Esp, files: readonly EntryFile[]): Promise<void> {
  if (files.length === 0) return
  for (const { file } of files) await esp.disk.remove(join(esp.entries, file))
  await esp.disk.sync(esp.entries)
}
