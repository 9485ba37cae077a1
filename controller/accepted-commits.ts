import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeDurably } from './durable-file.ts'
import type { Commit } from './merge-sources.ts'
import { StoredProvenance, StoredVerified } from './provenance.ts'

/** Name of the source of the configuration's `git`, which is the short form of a list of one. */
export const SINGLE_SOURCE = 'git'
const FILE = 'accepted-commit.json'

const StoredCommit: z.ZodType<Commit> = z.object({
  commit: z.string(),
  subject: z.string(),
  files: z.array(z.object({ path: z.string(), text: z.string(), root: z.string().optional() })),
  verified: StoredVerified.optional(),
})

/** What is in force, kept across restarts: should a head be invalid then, this still holds. */
const AcceptedCommits = z.object({
  /** Term of the leader that accepted them: after another leader's term they may be outdated. */
  term: z.int(),
  /** By name of source. One file for all, as two that were taken together hold only together. */
  sources: z.record(z.string(), StoredCommit),
  ...StoredProvenance.shape,
})
export type AcceptedCommits = z.infer<typeof AcceptedCommits>

/** As it was written while there could be only one source. */
const OneCommit = z
  .intersection(z.object({ term: z.int() }), StoredCommit)
  .transform(({ term, commit, subject, files }) => ({
    term,
    sources: { [SINGLE_SOURCE]: { commit, subject, files } },
    anchors: {},
    signers: [],
  }))

/** Null when there is none that can be read: a damaged one is as good as none. */
export async function readAcceptedCommits(stateDir: string): Promise<AcceptedCommits | null> {
  try {
    const stored: unknown = JSON.parse(await readFile(join(stateDir, FILE), 'utf8'))
    return z.union([AcceptedCommits, OneCommit]).parse(stored)
  } catch {
    return null
  }
}

export async function writeAcceptedCommits(stateDir: string, accepted: AcceptedCommits): Promise<void> {
  await writeDurably(join(stateDir, FILE), JSON.stringify(accepted))
}
