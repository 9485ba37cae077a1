import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeDurably } from './durable-file.ts'
import { ControllerError } from './errors.ts'
import type { EnrolmentRecord, Revocation } from './rollout/records.ts'

/** What this controller itself remembers of hosts that were revoked: a store that was lost must not let one back. */
export type Revocations = {
  /** The enrolment as it is known here: what was decided last counts, wherever it is kept. */
  readonly applied: (record: EnrolmentRecord) => EnrolmentRecord
  /** Null: a person enrolled the host again. */
  readonly keep: (hostId: string, revocation: Revocation | null, nowMs: number) => Promise<void>
}

const Decision = z.object({
  atMs: z.number(),
  revocation: z.object({ atMs: z.number(), actor: z.string(), reason: z.string() }).nullable(),
})
const File = z.record(z.string(), Decision)

/** @throws ControllerError ConfigInvalid when the file is damaged: who was revoked must never be guessed. */
export async function openRevocations(stateDir: string): Promise<Revocations> {
  const path = join(stateDir, 'revocations.json')
  const decisions = new Map(Object.entries(await readDecisions(path)))
  let writing: Promise<void> = Promise.resolve()

  function keep(hostId: string, decision: z.infer<typeof Decision>): Promise<void> {
    decisions.set(hostId, decision)
    const write = (): Promise<void> =>
      writeDurably(path, `${JSON.stringify(Object.fromEntries(decisions), null, 2)}\n`)
    writing = writing.then(write, write)
    return writing
  }

  return {
    applied(record) {
      const known = decisions.get(record.hostId)
      const { revoked } = record
      if (revoked !== undefined && (known === undefined || revoked.atMs > known.atMs)) {
        // Best effort: the store has it.
        keep(record.hostId, { atMs: revoked.atMs, revocation: revoked }).catch(() => undefined)
        return record
      }
      return known === undefined ? record : { ...record, revoked: known.revocation ?? undefined }
    },
    keep: (hostId, revocation, nowMs) => keep(hostId, { atMs: nowMs, revocation }),
  }
}

async function readDecisions(path: string): Promise<z.infer<typeof File>> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}'
    throw error
  })
  const parsed = File.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw new ControllerError(
    'ConfigInvalid',
    `reading ${path}: it does not say which hosts are revoked; put a backup in its place, or remove it and revoke them again`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
