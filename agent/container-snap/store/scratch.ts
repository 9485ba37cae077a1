import { mkdir, readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pid } from 'node:process'
import { SnapError } from '../errors.ts'

/** A folder for one pull's blobs; its name says which process it belongs to, pid reuse included. */
export async function openScratch(parent: string): Promise<string> {
  await removeStaleScratch(parent)
  const path = join(parent, `pull-${pid}-${await processStart(pid)}`)
  await mkdir(path, { mode: 0o700 }).catch((error: Error) => {
    throw new SnapError('storage-failed', `prepare a pull: ${error.message}`, { cause: error })
  })
  return path
}

/** Whether a pull runs in this store, other than in this process. */
export async function otherPullRuns(parent: string): Promise<boolean> {
  const own = `pull-${pid}-`
  await removeStaleScratch(parent)
  return (await readdir(parent)).some((name) => name.startsWith('pull-') && !name.startsWith(own))
}

async function removeStaleScratch(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, owner, start] = /^pull-(\d+)-(\d+)$/.exec(name) ?? []
    if (owner === undefined) continue
    if ((await processStart(Number(owner))) === start) continue
    await rm(join(parent, name), { recursive: true, force: true })
  }
}

/** Clock ticks since boot at the start of a process; '0' when there is none. */
async function processStart(id: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${id}/stat`, 'utf8')
    // The command's name, in brackets, may hold blanks; start time is the 20th field behind it.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  } catch {
    return '0'
  }
}

/** Sum of the files below a folder that another process is filling and emptying. */
export async function measureFolder(path: string): Promise<number> {
  let sizeBytes = 0
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    try {
      sizeBytes += (await stat(join(entry.parentPath, entry.name))).size
    } catch {
      // it was moved into place between the two looks
    }
  }
  return sizeBytes
}
