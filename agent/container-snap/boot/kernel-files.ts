import { mkdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapError } from '../errors.ts'
import { unfinishedSuffix } from './entry-name.ts'
import type { EntryText } from './entry-text.ts'
import type { EspDisk } from './esp-disk.ts'
import { hashFile } from './esp-disk.ts'
import { namesIn } from './names.ts'
import type { Kernel } from './kernel.ts'
import { findKernel } from './kernel.ts'

/** The file system that kernels and initrds are kept on for the loader. */
export type KernelPlace = {
  directory: string
  /** As messages name it: `the EFI system partition`. */
  name: string
  /** The folder in it that is ours. */
  kernels: string
  disk: EspDisk
  /** Every text that may name a kernel: one that none of them names is not needed. */
  entryTexts: () => Promise<readonly string[]>
}

export const kernelsFolder = 'bootfleet'

type KernelFile = { source: string; sizeBytes: number; sha256: string; name: string }

const hashDigits = 32
/** An entry, its unfinished form and a new cluster for each folder. */
const entryBlocks = 4

/** Kernel and initrd under names that tell their content: entries share them, none is ever changed. */
export async function placeKernel(place: KernelPlace, kernel: Kernel, attempt: string): Promise<KernelPaths> {
  const linux = await kernelFile('linux', kernel.linux)
  const initrd = await kernelFile('initrd', kernel.initrd)
  await mkdir(place.kernels, { recursive: true })
  const missing: KernelFile[] = []
  for (const file of [linux, initrd]) if (!(await isWhole(place, file))) missing.push(file)
  await requireSpace(place, missing, attempt)
  for (const { source, name, sha256 } of missing) {
    const unfinished = join(place.kernels, `${name}${unfinishedSuffix}`)
    await place.disk.copy(source, unfinished, sha256)
    await place.disk.rename(unfinished, join(place.kernels, name))
  }
  if (missing.length > 0) await place.disk.sync(place.kernels)
  return { linux: `/${kernelsFolder}/${linux.name}`, initrd: `/${kernelsFolder}/${initrd.name}` }
}

export type KernelPaths = Pick<EntryText, 'linux' | 'initrd'>

async function kernelFile(kind: 'linux' | 'initrd', source: string): Promise<KernelFile> {
  const sha256 = await hashFile(source)
  const { size: sizeBytes } = await stat(source)
  return { source, sizeBytes, sha256, name: `${kind}-${sha256.slice(0, hashDigits)}` }
}

async function isWhole(place: KernelPlace, { name, sizeBytes, sha256 }: KernelFile): Promise<boolean> {
  const path = join(place.kernels, name)
  return (await sizeOf(path)) === sizeBytes && (await hashFile(path)) === sha256
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    (found) => found.size,
    () => null,
  )
}

/** Before the first byte: a full one is no reason to touch what boots. */
async function requireSpace(
  place: KernelPlace,
  missing: readonly KernelFile[],
  attempt: string,
): Promise<void> {
  const space = await spaceOf(place)
  const blocks = missing.map((file) => Math.ceil(file.sizeBytes / space.blockBytes))
  const needBytes = space.blockBytes * blocks.reduce((sum, count) => sum + count, entryBlocks)
  if (space.freeBytes >= needBytes) return
  await removeUnusedKernels(place, new Set(missing.map((file) => file.name)))
  const { freeBytes } = await spaceOf(place)
  if (freeBytes >= needBytes) return
  throw new SnapError(
    'no-space',
    `${attempt}: kernel and initrd need ${needBytes} bytes on ${place.name} ${place.directory} and ` +
      `${freeBytes} are free; free some with container-snap gc, or make it larger`,
  )
}

async function spaceOf(place: KernelPlace): Promise<{ freeBytes: number; blockBytes: number }> {
  const { bavail, bsize } = await statfs(place.directory)
  return { freeBytes: bavail * bsize, blockBytes: bsize }
}

/** Those that no entry names, an entry made by hand included; returns the bytes they had. */
export async function removeUnusedKernels(
  place: KernelPlace,
  wanted: ReadonlySet<string> = new Set(),
): Promise<number> {
  const texts = await place.entryTexts()
  const unused = (await namesIn(place.kernels)).filter((name) => {
    const [, kernel, unfinished] = /^((?:linux|initrd)-[0-9a-f]{32})(\.tmp)?$/.exec(name) ?? []
    if (kernel === undefined) return false
    if (unfinished !== undefined) return true
    return !wanted.has(kernel) && !texts.some((text) => text.includes(kernel))
  })
  let freedBytes = 0
  for (const name of unused) {
    freedBytes += (await sizeOf(join(place.kernels, name))) ?? 0
    await place.disk.remove(join(place.kernels, name))
  }
  if (unused.length > 0) await place.disk.sync(place.kernels)
  return freedBytes
}

/**
 * By size alone, unless something was interrupted: to read a slow disk whole takes seconds of every boot. Where the
 * deployment has not its one kernel any more, what is there can still be whole by its name.
 */
export async function kernelIsThere(
  place: KernelPlace,
  entry: KernelPaths,
  { root, hashed }: { root: string; hashed: boolean },
): Promise<boolean> {
  const kernel = await findKernel(root).catch((error: unknown) => {
    if (error instanceof SnapError && error.code === 'refused') return null
    throw error
  })
  for (const kind of ['linux', 'initrd'] as const) {
    const file = join(place.directory, entry[kind])
    const sizeBytes = await sizeOf(file)
    if (sizeBytes === null) return false
    if (kernel !== null && sizeBytes !== (await sizeOf(kernel[kind]))) return false
    if ((hashed || kernel === null) && !entry[kind].endsWith(await nameEnding(file))) return false
  }
  return true
}

async function nameEnding(file: string): Promise<string> {
  return `-${(await hashFile(file)).slice(0, hashDigits)}`
}
