import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { execute } from '../exec.ts'
import type { Command } from '../exec.ts'
import { toOciArchitecture } from './architecture.ts'
import { readBootcStatus, readLabelsFile, readRpmOstreeStatus } from './booted-image.ts'
import type { BootedImage } from './booted-image.ts'
import { nameOfSystem, parseOsRelease } from './os-release.ts'
import type { OsRelease } from './host-driver.ts'

/** What a machine runs that is not ours to update; what nobody can say is empty. */
export type ObservedSystem = {
  /** Empty where there is no such file. */
  readonly bootId: string
  readonly architecture: string
  readonly os: OsRelease & { readonly name: string }
  readonly image: BootedImage
}

export type Observing = {
  /** Of the machine's files. */
  readonly root: string
  /** Default: the programs of this machine. */
  readonly ask?: (command: Command, signal: AbortSignal) => Promise<string | null>
  /** Default: since the process started. */
  readonly elapsedMs?: () => number
}

export type SystemObserver = (signal: AbortSignal) => Promise<ObservedSystem>

/** Written into the image by its builder; see docs/agent.md. */
const LABELS_FILE = 'usr/share/buildinfo/labels.json'
const FILE_MAX_BYTES = 256 * 1024
const PROGRAM_TIMEOUT_MS = 30_000
/** What was booted changes with the boot; asked again so that even a tool that changes it in place is noticed. */
const IMAGE_KEPT_MS = 60 * 60_000

const NO_IMAGE: BootedImage = { reference: '', digest: '', version: '', labels: {} }

type Kept = { readonly bootId: string; readonly atMs: number; readonly image: BootedImage }

/** Looks anew at every call, but for the image, which is kept for a boot and at most an hour. Changes nothing. */
export function openSystemObserver(options: Observing): SystemObserver {
  const { root, ask = askProgram, elapsedMs = () => performance.now() } = options
  let kept: Kept | null = null
  return async (signal) => {
    const bootId = (await readBounded(join(root, 'proc/sys/kernel/random/boot_id'))).trim()
    if (kept === null || kept.bootId !== bootId || elapsedMs() - kept.atMs > IMAGE_KEPT_MS) {
      const image = await bootedImage(root, (command) => ask(command, signal))
      // One that nobody could tell is asked for again at the next look.
      kept = image.reference === '' ? null : { bootId, atMs: elapsedMs(), image }
      return { bootId, ...(await aboutSystem(root)), image }
    }
    return { bootId, ...(await aboutSystem(root)), image: kept.image }
  }
}

async function aboutSystem(root: string): Promise<Pick<ObservedSystem, 'architecture' | 'os'>> {
  // The machine's own word first: a person may have changed it.
  const texts = await Promise.all(
    ['etc/os-release', 'usr/lib/os-release'].map((path) => readBounded(join(root, path))),
  )
  const text = texts.find((each) => each !== '') ?? ''
  return {
    architecture: toOciArchitecture(process.arch),
    os: { ...parseOsRelease(text), name: nameOfSystem(text) },
  }
}

type Ask = (command: Command) => Promise<string | null>

/** Labels are what rpm-ostree has of the very image, else what its builder wrote into it. */
async function bootedImage(root: string, ask: Ask): Promise<BootedImage> {
  const said = async (command: Command, read: (output: string) => BootedImage | null) => {
    const output = await ask(command)
    return output === null ? null : read(output)
  }
  const bootc = await said(['bootc', 'status', '--format=json'], readBootcStatus)
  const rpmOstree = await said(['rpm-ostree', 'status', '--json'], readRpmOstreeStatus)
  const image = bootc ?? rpmOstree ?? NO_IMAGE
  const known = rpmOstree?.digest === image.digest ? rpmOstree.labels : {}
  if (Object.keys(known).length > 0) return { ...image, labels: known }
  return { ...image, labels: readLabelsFile(await readBounded(join(root, LABELS_FILE))) }
}

/** Null: it is not there, was not allowed, took too long or said too much; nothing of that is worth an end. */
async function askProgram(command: Command, signal: AbortSignal): Promise<string | null> {
  const attempt = `asking ${command[0]} what is booted`
  try {
    const { exitCode, stdout } = await execute(command, { attempt, signal, timeoutMs: PROGRAM_TIMEOUT_MS })
    return exitCode === 0 ? stdout : null
  } catch {
    return null
  }
}

/** Empty where it cannot be read, or is larger than such a file is. */
async function readBounded(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => null)
  if (file === null) return ''
  try {
    const buffer = Buffer.alloc(FILE_MAX_BYTES + 1)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    return bytesRead > FILE_MAX_BYTES ? '' : buffer.toString('utf8', 0, bytesRead)
  } catch {
    return ''
  } finally {
    await file.close()
  }
}
