import { readdir } from 'node:fs/promises'
import { SnapError } from '../errors.ts'

/** Of what is in a folder; none where there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new SnapError('storage-failed', `read ${folder}: ${error.message}`, { cause: error })
  })
}
