import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { pid } from 'node:process'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { run } from '../exec.ts'
import { sectorBytes } from './geometry.ts'
import type { Tools } from './tools.ts'

/** Our names and qemu-img's. */
const formats = { raw: 'raw', qcow2: 'qcow2', vhd: 'vpc', vmdk: 'vmdk' } as const

export type DiskFormat = keyof typeof formats

export const formatNames = Object.keys(formats) as DiskFormat[]

/** Where the disk goes. A file gets its name only when it is whole, so the file of an earlier install stays till then. */
export type Target =
  | { kind: 'file'; path: string; rawPath: string; format: DiskFormat; diskBytes: number }
  | { kind: 'device'; path: string; diskBytes: number }

export type TargetOptions = {
  disk: string
  format: DiskFormat
  /** Null where the user did not say. */
  sizeBytes: number | null
  wipe: boolean
}

const sizeBytesDefault = 10 * 1024 ** 3

/** Looks only: nothing on the disk is changed yet. */
export async function inspectTarget(context: Context, tools: Tools, options: TargetOptions): Promise<Target> {
  const path = resolve(options.disk)
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new SnapError('refused', `install to ${path}: ${error.message}`, { cause: error })
  })
  if (found?.isBlockDevice()) return inspectDevice(context, tools, path, options)
  if (found !== null && !found.isFile())
    throw new SnapError('refused', `install to ${path}: it is neither a file nor a block device`)
  if (found !== null && found.size > 0 && !options.wipe) {
    throw new SnapError('refused', `install to ${path}: the file is there already; --wipe replaces it`)
  }
  const folder = dirname(path)
  const isFolder = await stat(folder).then(
    (one) => one.isDirectory(),
    () => false,
  )
  if (!isFolder) throw new SnapError('not-found', `install to ${path}: there is no folder ${folder}`)
  const rawPath = join(folder, `.${basename(path)}.${pid}.new`)
  return {
    kind: 'file',
    path,
    rawPath,
    format: options.format,
    diskBytes: options.sizeBytes ?? sizeBytesDefault,
  }
}

async function inspectDevice(
  context: Context,
  tools: Tools,
  path: string,
  options: TargetOptions,
): Promise<Target> {
  const attempt = `install to ${path}`
  if (options.format !== 'raw')
    throw new SnapError('usage', `${attempt}: a block device is always raw; --format is for files`)
  if (options.sizeBytes !== null)
    throw new SnapError('usage', `${attempt}: a block device has its own size; --size is for files`)
  const { signal } = context
  const asked = await run([tools.blockdev, '--getss', '--getsize64', path], { signal, attempt })
  const [sector, diskBytes] = asked.trim().split('\n').map(Number)
  if (sector !== sectorBytes || diskBytes === undefined) {
    throw new SnapError(
      'refused',
      `${attempt}: its sectors have ${sector} bytes, and only ${sectorBytes} are supported; switch the drive to 512e`,
    )
  }
  const listed = await run([tools.wipefs, '--noheadings', '--output', 'TYPE', path], { signal, attempt })
  const types = listed.split(/\s+/).filter((word) => word !== '')
  if (types.length > 0 && !options.wipe) {
    const what = [...new Set(types)].join(', ')
    throw new SnapError('refused', `${attempt}: there is something on it (${what}); --wipe destroys it`)
  }
  return { kind: 'device', path, diskBytes }
}

/** The path that file systems are made in, empty and of the disk's size. */
export async function openDisk(context: Context, tools: Tools, target: Target): Promise<string> {
  const { signal } = context
  switch (target.kind) {
    case 'file':
      await createSparse(target.rawPath, target.diskBytes)
      return target.rawPath
    case 'device': {
      // Fails where the device is in use. From here on there is no table, so nothing half-made can be booted.
      await run([tools.wipefs, '--all', '--quiet', target.path], { signal, attempt: `wipe ${target.path}` })
      return target.path
    }
  }
}

async function createSparse(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.truncate(sizeBytes)
  } finally {
    await file.close()
  }
}

/** Converts, makes it durable and gives it its name. */
export async function publishDisk(context: Context, tools: Tools, target: Target): Promise<void> {
  switch (target.kind) {
    case 'device':
      await flush(target.path)
      return
    case 'file': {
      const finished = target.format === 'raw' ? target.rawPath : await convert(context, tools, target)
      await flush(finished)
      await rename(finished, target.path)
      await flush(dirname(target.path))
      await rm(target.rawPath, { force: true })
      return
    }
  }
}

type FileTarget = Extract<Target, { kind: 'file' }>

async function convert(context: Context, tools: Tools, target: FileTarget): Promise<string> {
  const { rawPath, format } = target
  const converted = convertedPath(target)
  // Without it a vhd's size is rounded to what cylinders and heads can express, and the table's copy is cut off.
  const options = format === 'vhd' ? ['-o', 'force_size=on'] : []
  // It truncates a file that is there, and keeps its mode: the disk may hold a host's key.
  await createSparse(converted, 0)
  await run(
    [tools['qemu-img'], 'convert', '-f', 'raw', '-O', formats[format], ...options, rawPath, converted],
    { signal: context.signal, attempt: `convert the disk to ${format}`, timeoutMs: 3_600_000 },
  )
  return converted
}

function convertedPath({ rawPath, format }: FileTarget): string {
  return `${rawPath}.${format}`
}

/** After a failure; a device was wiped before it was written and has no table. */
export async function discardDisk(target: Target): Promise<void> {
  if (target.kind === 'device') return
  await rm(target.rawPath, { force: true })
  await rm(convertedPath(target), { force: true })
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
