import { randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeDurably } from './accepted-commit.ts'

const Holder = z.uuid()

/** Id under which this directory's controller holds the lease; made once. */
export async function openHolderId(stateDir: string): Promise<string> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const path = join(stateDir, 'holder-id')
  const known = Holder.safeParse((await readFile(path, 'utf8').catch(() => '')).trim())
  if (known.success) return known.data
  const holder = randomUUID()
  await writeDurably(path, `${holder}\n`)
  return holder
}

/** Where this controller listens, for programs that start it with port 0. */
export async function writeAddress(stateDir: string, address: string): Promise<void> {
  await writeDurably(join(stateDir, 'address'), `${address}\n`)
}
