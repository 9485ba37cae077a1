import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeDurably } from '../durable-file.ts'
import { AgentError } from '../errors.ts'

const Saved = z.object({
  /** As the machine sees it. */
  path: z.string(),
  /** In base64; null where there was no such file. */
  content: z.string().nullable(),
})

const Journal = z.object({
  version: z.literal(1),
  fingerprint: z.string(),
  image: z.string(),
  startedAt: z.string(),
  root: z.object({ uuid: z.string(), subvolume: z.string(), defaultId: z.number() }),
  /** As machine.json of container-snap has it. */
  loader: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('systemd-boot'), esp: z.string(), tries: z.number() }),
    z.object({ kind: z.literal('grub'), boot: z.string(), config: z.string(), tries: z.number() }),
  ]),
  kernelArguments: z.array(z.string()),
  /** Subvolumes to be made, at the top level; `copyOf` is the folder that fills it. */
  created: z.array(z.object({ name: z.string(), at: z.string(), copyOf: z.string().nullable() })),
  /** What else the new root mounts of this file system, with no line in the old fstab. */
  mountings: z.array(z.object({ at: z.string(), subvolume: z.string() })),
  /** Where /var is one already, from the top level; null where it is copied or on another file system. */
  varSubvolume: z.string().nullable(),
  /** Whether the folder of this file was there before. */
  hadFolder: z.boolean(),
  /** Files of the boot loader as they were. */
  saved: z.array(Saved),
  imageId: z.string().nullable(),
  deployment: z.string().nullable(),
  /** Of each subvolume that was made, when it was: what is above is written since. */
  generations: z.record(z.string(), z.number()).default({}),
  done: z.array(z.string()),
  finishedAt: z.string().nullable(),
})
export type Journal = z.infer<typeof Journal>
export type SavedFile = z.infer<typeof Saved>

/** What an adoption keeps beside its journal. */
export const STATE_FOLDER = 'var/lib/bootfleet'
const FILE = `${STATE_FOLDER}/adopt.json`

/** How far an adoption is: in the old root's /var and, where that is another, in the new one's. */
export function journalPath(sysroot: string): string {
  return join(sysroot, FILE)
}

/** Null where nothing was begun. */
export async function readJournal(sysroot: string): Promise<Journal | null> {
  const path = journalPath(sysroot)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  const parsed = Journal.safeParse(toJson(text))
  if (parsed.success) return parsed.data
  const found = z.prettifyError(parsed.error).slice(0, 300)
  throw new AgentError(
    'InspectFailed',
    `read ${path}: ${found}; a bootfleet-agent of another version wrote it`,
  )
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export async function writeJournal(sysroot: string, journal: Journal): Promise<void> {
  await writeDurably(journalPath(sysroot), `${JSON.stringify(journal, null, 2)}\n`, 0o600)
}

/** Whether a way back is kept here that needs the journal; one that cannot be read counts as such. */
export async function unfinishedAdoption(sysroot: string): Promise<boolean> {
  try {
    const journal = await readJournal(sysroot)
    return journal !== null && journal.finishedAt === null
  } catch {
    return true
  }
}

export async function requireJournal(sysroot: string, attempt: string): Promise<Journal> {
  const journal = await readJournal(sysroot)
  if (journal === null)
    throw new AgentError('AdoptRefused', `${attempt}: nothing was adopted here (no ${journalPath(sysroot)})`)
  if (journal.finishedAt === null) return journal
  throw new AgentError('AdoptRefused', `${attempt}: the adoption was finished at ${journal.finishedAt}`)
}
