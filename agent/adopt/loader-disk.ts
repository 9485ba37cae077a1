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

/**
 * GRUB reads no journal; to freeze a file system writes everything to its place. Both in a process that no signal of
 * ours ends: one that stays frozen blocks whoever writes to it.
 */
async function emptyJournal(mountPoint: string): Promise<void> {
  const script = `trap '' HUP INT TERM; fsfreeze --freeze "$1" && fsfreeze --unfreeze "$1"`
  await call(['sh', '-c', script, 'sh', mountPoint], `write the journal of ${mountPoint} to its place`)
}

async function call(command: readonly [string, ...string[]], attempt: string): Promise<string> {
  return run(command, { attempt, signal: new AbortController().signal, timeoutMs: TIMEOUT_MS })
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
