import { mkdir, readFile, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapError } from '../errors.ts'
import { unfinishedSuffix } from './entry-name.ts'
import type { EntryText } from './entry-text.ts'
import { hashFile } from './esp-disk.ts'
import type { Esp } from './esp.ts'
import { kernelsFolder, namesIn } from './esp.ts'
import type { Kernel } from './kernel.ts'
import { findKernel } from './kernel.ts'

type KernelFile = { source: string; sizeBytes: number; sha256: string; name: string }

const hashDigits = 32
/** An entry, its unfinished form and a new cluster for each folder. */
const entryBlocks = 4

/** Kernel and initrd on the ESP under names that tell their content: entries share them, none is ever changed. */
export async function placeKernel(esp: Esp, kernel: Kernel, attempt: string): Promise<KernelPaths> {
  const linux = await kernelFile('linux', kernel.linux)
  const initrd = await kernelFile('initrd', kernel.initrd)
  await mkdir(esp.kernels, { recursive: true })
  await mkdir(esp.entries, { recursive: true })
  const missing: KernelFile[] = []
  for (const file of [linux, initrd]) if (!(await isWhole(esp, file))) missing.push(file)
  await requireSpace(esp, missing, attempt)
  for (const { source, name, sha256 } of missing) {
    const unfinished = join(esp.kernels, `${name}${unfinishedSuffix}`)
    await esp.disk.copy(source, unfinished, sha256)
    await esp.disk.rename(unfinished, join(esp.kernels, name))
  }
  if (missing.length > 0) await esp.disk.sync(esp.kernels)
  return { linux: `/${kernelsFolder}/${linux.name}`, initrd: `/${kernelsFolder}/${initrd.name}` }
}

export type KernelPaths = Pick<EntryText, 'linux' | 'initrd'>

async function kernelFile(kind: 'linux' | 'initrd', source: string): Promise<KernelFile> {
  const sha256 = await hashFile(source)
  const { size: sizeBytes } = await stat(source)
  return { source, sizeBytes, sha256, name: `${kind}-${sha256.slice(0, hashDigits)}` }
}

async function isWhole(esp: Esp, { name, sizeBytes, sha256 }: KernelFile): Promise<boolean> {
  const path = join(esp.kernels, name)
  return (await sizeOf(path)) === sizeBytes && (await hashFile(path)) === sha256
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    (found) => found.size,
    () => null,
  )
}

/** Before the first byte: a full ESP is no reason to touch what boots. */
async function requireSpace(esp: Esp, missing: readonly KernelFile[], attempt: string): Promise<void> {
  const space = await spaceOf(esp)
  const blocks = missing.map((file) => Math.ceil(file.sizeBytes / space.blockBytes))
  const needBytes = space.blockBytes * blocks.reduce((sum, count) => sum + count, entryBlocks)
  if (space.freeBytes >= needBytes) return
  await removeUnusedKernels(esp, new Set(missing.map((file) => file.name)))
  const { freeBytes } = await spaceOf(esp)
  if (freeBytes >= needBytes) return
  throw new SnapError(
    'no-space',
    `${attempt}: kernel and initrd need ${needBytes} bytes on the EFI system partition ${esp.directory} and ` +
      `${freeBytes} are free; free some with container-snap gc, or make it larger`,
  )
}

async function spaceOf(esp: Esp): Promise<{ freeBytes: number; blockBytes: number }> {
  const { bavail, bsize } = await statfs(esp.directory)
  return { freeBytes: bavail * bsize, blockBytes: bsize }
}

/** Those that no entry names, an entry made by hand included; returns the bytes they had. */
export async function removeUnusedKernels(
  esp: Esp,
  wanted: ReadonlySet<string> = new Set(),
): Promise<number> {
  const texts = await Promise.all(
    (await namesIn(esp.entries))
      .filter((name) => !name.endsWith(unfinishedSuffix))
      .map(async (name) => readFile(join(esp.entries, name), 'latin1')),
  )
  const unused = (await namesIn(esp.kernels)).filter((name) => {
    const [, kernel, unfinished] = /^((?:linux|initrd)-[0-9a-f]{32})(\.tmp)?$/.exec(name) ?? []
    if (kernel === undefined) return false
    if (unfinished !== undefined) return true
    return !wanted.has(kernel) && !texts.some((text) => text.includes(kernel))
  })
  let freedBytes = 0
  for (const name of unused) {
    freedBytes += (await sizeOf(join(esp.kernels, name))) ?? 0
    await esp.disk.remove(join(esp.kernels, name))
  }
  if (unused.length > 0) await esp.disk.sync(esp.kernels)
  return freedBytes
}

/**
 * By size alone, unless something was interrupted: to read a slow ESP whole takes seconds of every boot. Where the
 * deployment has not its one kernel any more, what is on the ESP can still be whole by its name.
 */
export async function kernelIsThere(
  esp: Esp,
  entry: KernelPaths,
  { root, hashed }: { root: string; hashed: boolean },
): Promise<boolean> {
  const kernel = await findKernel(root).catch((error: unknown) => {
    if (error instanceof SnapError && error.code === 'refused') return null
    throw error
  })
  for (const kind of ['linux', 'initrd'] as const) {
    const file = join(esp.directory, entry[kind])
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
