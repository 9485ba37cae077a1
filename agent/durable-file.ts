import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Replace a file so that after a power cut either the old or the new content is there, whole: write beside it,
 * fsync, rename, fsync the directory.
 */
export async function writeDurably(path: string, content: string, mode: number): Promise<void> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const temporary = `${path}.new`
  await withFile(temporary, 'w', mode, async (file) => {
    await file.writeFile(content)
    await file.chmod(mode)
    await file.sync()
  })
  await rename(temporary, path)
  await withFile(directory, 'r', mode, (file) => file.sync())
}

/** Gone when it resolves, also after a power cut, with what a cut write left beside it. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true })
  await rm(`${path}.new`, { force: true })
  await withFile(dirname(path), 'r', 0o600, (file) => file.sync())
}

type FileHandle = Awaited<ReturnType<typeof open>>

async function withFile(
  path: string,
  flags: string,
  mode: number,
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags, mode)
  try {
    await use(file)
  } finally {
    await file.close()
  }
}
