import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import type { KnownImages } from './wanted-fleets.ts'

const KnownImage: z.ZodType<KnownImages[string]> = z.object({
  reference: z.string(),
  image: z.object({
    repository: z.string(),
    digest: z.string(),
    version: z.string(),
    manifests: z.record(z.string(), z.string()),
  }),
  health: z.object({ checks: z.array(z.string()), stableForMs: z.number() }),
})

/** The last commit in force, kept across restarts: should the head be invalid then, this one still holds. */
export const AcceptedCommit = z.object({
  /** Term of the leader that accepted it: after another leader's term it may be outdated. */
  term: z.int(),
  commit: z.string(),
  subject: z.string(),
  files: z.array(z.object({ path: z.string(), text: z.string() })),
  /** What each fleet's image was last found to be: a restart must not need the registry to know it. */
  images: z.record(z.string(), KnownImage).default({}),
})
export type AcceptedCommit = z.infer<typeof AcceptedCommit>

const FILE = 'accepted-commit.json'

/** Null when there is none that can be read: a damaged one is as good as none. */
export async function readAcceptedCommit(stateDir: string): Promise<AcceptedCommit | null> {
  try {
    return AcceptedCommit.parse(JSON.parse(await readFile(join(stateDir, FILE), 'utf8')))
  } catch {
    return null
  }
}

export async function writeAcceptedCommit(stateDir: string, accepted: AcceptedCommit): Promise<void> {
  await writeDurably(join(stateDir, FILE), JSON.stringify(accepted))
}

/** Whole or not at all, also across a power cut. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}
