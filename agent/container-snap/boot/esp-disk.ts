import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, rename, unlink } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Context } from '../context.ts'
import { SnapError, saysNoSpace } from '../errors.ts'
import { run } from '../exec.ts'

/**
 * Every change on the ESP is one of these: FAT keeps no journal, so their order alone decides what a power cut
 * leaves, and a test can cut between any two.
 */
export type EspDisk = {
  /** The content is on disk, and was read back, when it returns; whether the name is, only `sync` tells. */
  write: (path: string, text: string) => Promise<void>
  copy: (source: string, path: string, sha256: string) => Promise<void>
  rename: (from: string, to: string) => Promise<void>
  remove: (path: string) => Promise<void>
  /** All names in `folder` are on disk when it returns. */
  sync: (folder: string) => Promise<void>
}

export function openEspDisk(context: Pick<Context, 'signal'>): EspDisk {
  return {
    write: async (path, text) =>
      attempting(`write ${path}`, async () => {
        await withFile(path, async (file) => file.writeFile(text))
        if ((await readFile(path, 'utf8')) !== text)
          throw new Error('what is read back is not what was written')
      }),
    copy: async (source, path, sha256) =>
      attempting(`copy ${source} to ${path}`, async () => {
        const { signal } = context
        await withFile(path, async (file) => {
          for await (const chunk of createReadStream(source, { signal }))
            await file.writeFile(chunk as Buffer)
        })
        if ((await hashFile(path)) !== sha256) throw new Error('what is read back is not what was written')
      }),
    rename: async (from, to) => attempting(`rename ${from} to ${to}`, async () => rename(from, to)),
    remove: async (path) => attempting(`remove ${path}`, async () => unlinkIfThere(path)),
    sync: async (folder) => {
      await attempting(`sync ${folder}`, async () => {
        const file = await open(folder, 'r')
        try {
          await file.sync()
        } finally {
          await file.close()
        }
      })
      // The table of clusters is no part of the folder: only the whole file system's sync has it.
      await run(['sync', '--file-system', folder], { signal: context.signal, attempt: `sync ${folder}` })
    },
  }
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

type OpenFile = Awaited<ReturnType<typeof open>>

/** What cannot be written whole is not left behind: on a full ESP it would be in the way. */
async function withFile(path: string, fill: (file: OpenFile) => Promise<void>): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await fill(file)
    await file.sync()
  } catch (error) {
    await unlinkIfThere(path)
    throw error
  } finally {
    await file.close()
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

async function attempting<T>(attempt: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const { message, name } = error as Error
    if (name === 'AbortError') throw new SnapError('interrupted', `${attempt}: interrupted by a signal`)
    const code = saysNoSpace(message) ? 'no-space' : 'storage-failed'
    throw new SnapError(code, `${attempt}: ${message}`, { cause: error })
  }
}
