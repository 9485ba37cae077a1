import { randomBytes } from 'node:crypto'
import { open, stat, unlink } from 'node:fs/promises'

/** Of a few dozen ledgers, and of no use to a file system that compresses. */
const reserveBytes = 256 * 1024

export function reserveOf(path: string): string {
  return `${path}.reserve`
}

/** False where there is none any more. */
export async function giveUpReserve(reserve: string): Promise<boolean> {
  return unlink(reserve).then(
    () => true,
    () => false,
  )
}

/**
 * Writes with some room kept back beside it: on a disk without a byte left the way back, and what frees space, have to
 * be written down too. What was used up is kept back again as soon as there is room.
 */
export async function withReserve(path: string, write: () => Promise<void>): Promise<void> {
  const reserve = reserveOf(path)
  try {
    await write()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    if (!(await giveUpReserve(reserve))) throw error
    await write()
    return
  }
  await keepBack(reserve).catch(async () => giveUpReserve(reserve))
}

async function keepBack(reserve: string): Promise<void> {
  const found = await stat(reserve).catch(() => null)
  if (found?.size === reserveBytes) return
  const file = await open(reserve, 'w', 0o600)
  try {
    await file.writeFile(randomBytes(reserveBytes))
    await file.sync()
  } finally {
    await file.close()
  }
}
