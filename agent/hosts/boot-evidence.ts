import * as z from 'zod'
import { execute } from '../exec.ts'
import type { FallenActivation } from './host-driver.ts'

const Boots = z.array(z.object({ boot_id: z.string() }))

const JOURNAL_TIMEOUT_MS = 30_000
const BOOTS_MAX = 4
const LINES_PER_BOOT = 10
const LINES_MAX = 32
const LINE_MAX_LENGTH = 256

type Query = { readonly fallen: FallenActivation; readonly currentBootId: string }

/**
 * What the journal kept of the boots between an activation and now, newest first. A boot without a journal did not
 * get as far as journald, or the disk was not written any more.
 */
export async function journalEvidence(
  { fallen, currentBootId }: Query,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const boots = await bootsSince(plain(fallen.bootId), plain(currentBootId), signal)
  if (boots === null) return ['journal: its boots cannot be listed']
  if (boots.length === 0) return ['journal: nothing of a boot of it; it did not get as far as journald']
  const lines: string[] = []
  for (const bootId of boots.toReversed().slice(0, BOOTS_MAX)) {
    lines.push(`boot ${bootId}, its last lines:`, ...(await lastWords(bootId, signal)))
  }
  return bounded(lines)
}

export function bounded(lines: readonly string[]): readonly string[] {
  return lines.slice(0, LINES_MAX).map((line) => line.slice(0, LINE_MAX_LENGTH))
}

/** The kernel writes a boot id with dashes, the journal without. */
function plain(bootId: string): string {
  return bootId.replaceAll('-', '')
}

async function bootsSince(
  beforeId: string,
  currentId: string,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  const text = await journal(['--list-boots', '-o', 'json'], signal)
  const boots = Boots.safeParse(parseJson(text))
  if (!boots.success) return null
  const ids = boots.data.map(({ boot_id: id }) => id)
  // A journal that was cut since may not have the boot before any more.
  const since = ids.slice(ids.indexOf(beforeId) + 1)
  return since.filter((id) => id !== currentId).slice(-BOOTS_MAX)
}

/** Warnings say more than the last thing that went well. */
async function lastWords(bootId: string, signal: AbortSignal): Promise<readonly string[]> {
  const query = ['-b', bootId, '-n', String(LINES_PER_BOOT), '-o', 'cat']
  const warnings = linesOf(await journal([...query, '-p', 'warning'], signal))
  return warnings.length > 0 ? warnings : linesOf(await journal(query, signal))
}

async function journal(words: readonly string[], signal: AbortSignal): Promise<string> {
  const options = { attempt: 'reading the journal', signal, timeoutMs: JOURNAL_TIMEOUT_MS }
  const { stdout } = await execute(['journalctl', '--no-pager', '-q', ...words], options)
  return stdout
}

function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-LINES_PER_BOOT)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
