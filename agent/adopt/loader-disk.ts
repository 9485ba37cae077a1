import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { run } from '../exec.ts'

/** Changes of the boot loader's files, so that a test can see their order. */
export type LoaderDisk = {
  readonly replace: (path: string, content: string | Buffer) => Promise<void>
  /** A file, or a folder with all in it; as good where there is none. */
  readonly remove: (path: string) => Promise<void>
  /** What was changed is where the loader reads it, also after a power cut, when it returns. */
  readonly sync: (folder: string) => Promise<void>
}

export const loaderDisk: LoaderDisk = {
  // FAT takes no mode, so none is set.
  replace: async (path, content) => {
    const file = await open(`${path}.new`, 'w')
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.new`, path)
    await syncFolder(dirname(path))
  },
  remove: async (path) => {
    await rm(path, { recursive: true, force: true })
    await syncFolder(dirname(path))
  },
  sync: async (folder) => {
    const attempt = `write the changes of ${folder} to disk`
    // FAT's table of clusters is no part of a folder.
    await call(['sync', '--file-system', folder], attempt)
    const found = await call(['findmnt', '--json', '--output', 'TARGET,FSTYPE', '--target', folder], attempt)
    const { filesystems } = JSON.parse(found) as { filesystems: { target: string; fstype: string }[] }
    const mount = filesystems.at(-1)
    if (mount !== undefined && JOURNALLED.has(mount.fstype)) await emptyJournal(mount.target)
  },
}

const JOURNALLED: ReadonlySet<string> = new Set(['ext3', 'ext4', 'xfs'])
const TIMEOUT_MS = 10 * 60_000
/** At its end the shell is killed, maybe between freeze and thaw: longer than any disk that still works takes. */
const FREEZE_TIMEOUT_MS = 60 * 60_000

/**
 * GRUB reads no journal; to freeze a file system writes everything to its place.
 *
 * By a shell, although nothing else here is: freeze and thaw must be one process's work, which goes on when we are
 * killed in between, for a file system that stays frozen blocks whoever writes to it, the shutdown included. No program
 * does both. Two children of ours would leave it frozen; one of Node has to be loaded, while all that writes stands
 * still, from a disk that may be the frozen one. The script is a constant, and what is frozen is its argument.
 */
async function emptyJournal(mountPoint: string): Promise<void> {
  const script = `trap '' HUP INT TERM; fsfreeze --freeze "$1" && fsfreeze --unfreeze "$1"`
  const attempt = `write the journal of ${mountPoint} to its place`
  await call(['sh', '-c', script, 'sh', mountPoint], attempt, FREEZE_TIMEOUT_MS)
}

async function call(
  command: readonly [string, ...string[]],
  attempt: string,
  timeoutMs = TIMEOUT_MS,
): Promise<string> {
  return run(command, { attempt, signal: new AbortController().signal, timeoutMs })
}

async function syncFolder(folder: string): Promise<void> {
  const file = await open(folder, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  try {
    await file?.sync()
  } finally {
    await file?.close()
  }
}
