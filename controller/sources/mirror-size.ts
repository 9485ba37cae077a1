import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** What a fetch writes is under objects/; files that vanish while being counted do not matter. */
async function sizeOfDir(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true }).catch(() => [])
  let totalBytes = 0
  for (const name of names) totalBytes += (await stat(join(dir, name)).catch(() => null))?.size ?? 0
  return totalBytes
}

/** Git has no limit on what a fetch may write, so it is watched; true when the limit was passed. */
export async function outgrows(dir: string, maxBytes: number, until: AbortSignal): Promise<boolean> {
  while (!until.aborted) {
    if ((await sizeOfDir(dir)) > maxBytes) return true
    await delay(250, undefined, { signal: until }).catch(() => undefined)
  }
  return (await sizeOfDir(dir)) > maxBytes
}
