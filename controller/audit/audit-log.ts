import { randomUUID } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { openAuditReader } from '../../proto/audit-chain.ts'
import type { AuditReader } from '../../proto/audit-chain.ts'
import { AUDIT_BEGIN, auditHash, auditKeyOf, sealAuditEntry } from '../../proto/audit-entry.ts'
import type { AuditFact, AuditHead } from '../../proto/audit-entry.ts'
import { ControllerError } from '../errors.ts'
import { openSegments } from './segments.ts'
import type { SegmentLimits, Segments } from './segments.ts'

/** What happened in this deployment, as this controller saw it: a chain of signed entries on its own disk. */
export type AuditLog = {
  /**
   * Number of the entry; it is on disk when this resolves.
   * @throws ControllerError AuditUnavailable.
   */
  append(fact: AuditFact): Promise<number>
  /** Every line that is kept up to now, oldest first. */
  lines(): AsyncGenerator<string>
  /** The newest thousand lines, oldest first. */
  readonly recent: () => readonly string[]
  /** Calls back after each entry, once it is on disk; null when there are too many listeners. */
  readonly listen: (listener: () => void) => (() => void) | null
  close(): Promise<void>
}

export type AuditLogOptions = {
  readonly stateDir: string
  readonly directorKey: KeyObject
  readonly logger: Logger
  readonly limits?: SegmentLimits
  readonly now?: () => number
}

const LIMITS: SegmentLimits = { segmentMaxBytes: 4 * 1024 * 1024, segmentsMax: 16 }
/** Entries that wait for the disk. */
const WAITING_MAX = 256
const RECENT_MAX = 1_000
const LISTENERS_MAX = 64

/** @throws ControllerError ConfigInvalid when the folder cannot be used. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { stateDir, directorKey, logger, limits = LIMITS, now = Date.now } = options
  const dir = join(stateDir, 'audit')
  try {
    const { broken, ...chain } = await openChain(dir, { limits, logger })
    const log = new WritingLog({ ...chain, key: auditKeyOf(directorKey), logger, now })
    if (broken !== null) await log.append(brokenFact(broken))
    return log
  } catch (cause) {
    if (cause instanceof ControllerError) throw cause
    const message = `opening the audit log in ${dir}: ${String(cause)}; check stateDir and its permissions`
    throw new ControllerError('ConfigInvalid', message, { cause })
  }
}

type OpenedChain = {
  readonly segments: Segments
  readonly head: AuditHead | null
  readonly recent: string[]
}

/** A chain that somebody changed is evidence: it is put aside whole, and a new one says so. */
async function openChain(
  dir: string,
  { limits, logger }: { readonly limits: SegmentLimits; readonly logger: Logger },
): Promise<OpenedChain & { readonly broken: string | null }> {
  const segments = await openSegments(dir, limits)
  const reader = openAuditReader(null)
  const recent: string[] = []
  const found = await readAll(segments, reader, recent)
  if (found === null) return { segments, head: reader.heads().at(-1) ?? null, recent, broken: null }
  await segments.close()
  const aside = `${dir}.broken-${randomUUID()}`
  await rename(dir, aside)
  logger.error({ found, aside }, 'the audit log was changed by another hand; a new one begins')
  const broken = `${found}; it is kept in ${aside}`
  return { segments: await openSegments(dir, limits), head: null, recent: [], broken }
}

async function readAll(segments: Segments, reader: AuditReader, recent: string[]): Promise<string | null> {
  for await (const line of segments.lines()) {
    const wrong = reader.take(line)
    if (wrong !== null) return wrong
    if (reader.heads().length > 1) return 'it holds two chains'
    remember(recent, line)
  }
  return null
}

function remember(recent: string[], line: string): void {
  recent.push(line)
  if (recent.length > RECENT_MAX) recent.shift()
}

function brokenFact(found: string): AuditFact {
  return { actor: 'controller', event: 'AuditBroken', outcome: 'Noted', message: found }
}

type Writing = OpenedChain & {
  readonly key: ReturnType<typeof auditKeyOf>
  readonly logger: Logger
  readonly now: () => number
}

class WritingLog implements AuditLog {
  readonly #writing: Writing
  #head: AuditHead | null
  #chain: string
  #queue: Promise<unknown> = Promise.resolve()
  #waiting = 0
  readonly #listeners = new Set<() => void>()

  constructor(writing: Writing) {
    this.#writing = writing
    this.#head = writing.head
    this.#chain = writing.head?.chain ?? randomUUID()
  }

  readonly recent = (): readonly string[] => this.#writing.recent

  readonly listen = (listener: () => void): (() => void) | null => {
    if (this.#listeners.size >= LISTENERS_MAX) return null
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async append(fact: AuditFact): Promise<number> {
    if (this.#waiting >= WAITING_MAX) throw unavailable('too many entries wait for the disk')
    this.#waiting += 1
    const written = this.#queue.then(() => this.#write(fact))
    this.#queue = written.catch(() => undefined)
    try {
      return await written
    } finally {
      this.#waiting -= 1
    }
  }

  async #write(fact: AuditFact): Promise<number> {
    const { segments, key, now, logger } = this.#writing
    const number = (this.#head?.last ?? 0) + 1
    const previous = this.#head?.sha256 ?? AUDIT_BEGIN
    const at = new Date(now()).toISOString()
    const line = sealAuditEntry(fact, { chain: this.#chain, number, previous, at }, key)
    try {
      await segments.append(number, line)
    } catch (cause) {
      logger.fatal({ error: String(cause) }, 'audit entry not written')
      throw unavailable(cause instanceof Error ? cause.message : String(cause), cause)
    }
    const sha256 = auditHash(line)
    remember(this.#writing.recent, line)
    this.#head = { chain: this.#chain, first: this.#head?.first ?? number, last: number, sha256 }
    const { actor, event, outcome, fleet } = fact
    // Where logs are collected elsewhere, this is what a tail that was cut off is missed by.
    logger.info({ audit: number, sha256, actor, event, outcome, fleet }, 'audit entry')
    for (const listener of this.#listeners) listener()
    return number
  }

  async *lines(): AsyncGenerator<string> {
    const until = this.#head?.last ?? 0
    let passed = 0
    for await (const line of this.#writing.segments.lines()) {
      // What is written meanwhile is not in the answer.
      passed = passed === 0 ? numberOf(line) : passed + 1
      if (passed > until) return
      yield line
    }
  }

  async close(): Promise<void> {
    await this.#queue
    await this.#writing.segments.close()
  }
}

function numberOf(line: string): number {
  return Number(/"number":(\d{1,15})/.exec(line)?.[1] ?? 0)
}

function unavailable(found: string, cause?: unknown): ControllerError {
  const message = `writing the audit log: ${found}; nothing is ordered that is not kept; free the disk of stateDir`
  return new ControllerError('AuditUnavailable', message, { cause })
}
