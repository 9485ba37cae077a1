import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TrustError } from './errors.ts'

export type NewFile = {
  /** Inside the directory. */
  readonly path: string
  readonly text: string
  /** Readable by its owner only. */
  readonly secret: boolean
}

/**
 * Writes files that must all be new: a lost CA or root key means enrolling every host again.
 * @throws TrustError TrustInvalid naming those that exist, before anything is written.
 */
export async function writeAll(dir: string, files: readonly NewFile[]): Promise<void> {
  const existing: string[] = []
  for (const { path } of files) if (await exists(join(dir, path))) existing.push(path)
  if (existing.length > 0) {
    throw new TrustError(
      'TrustInvalid',
      `writing keys to ${dir}: ${existing.join(', ')} exist${existing.length === 1 ? 's' : ''}, and keys are never overwritten; name an empty directory`,
    )
  }
  for (const { path, text, secret } of files) {
    const target = join(dir, path)
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    const file = await open(target, 'wx', secret ? 0o600 : 0o644)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** Replaces a public file; a reader sees it as it was or as it is now. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o644)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
