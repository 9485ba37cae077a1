import { once } from 'node:events'
import { create } from '@bufbuild/protobuf'
import type { ServerWritableStream } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { openAuditReader } from '../../proto/audit-chain.ts'
import { AUDIT_HEADS_MAX, parseAuditEntry } from '../../proto/audit-entry.ts'
import type { AuditEntry, AuditHead } from '../../proto/audit-entry.ts'
import { ExportAuditResponseSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { ExportAuditRequest, ExportAuditResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { ControllerError } from '../errors.ts'
import { entriesAbout } from './audit-about.ts'
import { authorizeOperator } from './authorize.ts'
import type { AuditSink } from './kept-refusals.ts'
import { permit } from './permit.ts'
import type { Permissions, Viewer } from './permit.ts'
import { asServiceError } from './status.ts'

/** What is kept. */
export type AuditArchive = AuditSink & {
  /** Of every chain that is known, each in its order and whole, up to now; this controller's own comes last. */
  lines(): AsyncGenerator<string>
  /** The newest of this controller's own, oldest first. */
  readonly recent: () => readonly string[]
  /** Calls back after each entry that is written; null when there are too many listeners. */
  readonly listen: (listener: () => void) => (() => void) | null
}

const LISTED = 20
const LISTED_MAX = 1_000
const LINES_PER_MESSAGE = 64
const DRAIN_TIMEOUT_MS = 60_000

export function newestEntries(
  { audit, permissions }: { readonly audit: AuditArchive; readonly permissions: Permissions },
  { about, fleet, limit }: { readonly about: string; readonly fleet: string; readonly limit: number },
  viewer: Viewer,
): string[] {
  const isAbout = entriesAbout(about, permissions.state)
  const isChosen = (entry: AuditEntry): boolean => (fleet === '' || fleet === entry.fleet) && isAbout(entry)
  return chosenEntries(audit.recent(), isChosen, viewer).slice(-listedCount(limit))
}

export function listedCount(limit: number): number {
  return Math.min(limit === 0 ? LISTED : limit, LISTED_MAX)
}

/** Of lines those that `viewer` may see. */
export function chosenEntries(
  lines: readonly string[],
  isChosen: (entry: AuditEntry) => boolean,
  viewer: Viewer,
): string[] {
  return lines.filter((line) => {
    const entry = parseAuditEntry(line)
    return entry !== null && viewer.sees(entry.fleet) && isChosen(entry)
  })
}

export type Exporting = {
  readonly audit: AuditArchive
  readonly permissions: Permissions
  readonly logger: Logger
}

type ExportCall = ServerWritableStream<ExportAuditRequest, ExportAuditResponse>

export function exportAudit(call: ExportCall, { audit, permissions, logger }: Exporting): void {
  const run = async (): Promise<void> => {
    const identity = authorizeOperator(call, permissions.roles)
    permit(permissions, { method: 'exportAudit', request: call.request, actor: identity.name })
    const sinceMs = Number(call.request.sinceMs)
    const heads = await headsSince(audit, sinceMs)
    const last = await audit.append({
      actor: `operator/${identity.name}`,
      event: 'ExportAudit',
      outcome: 'Done',
      heads,
      message: `${heads.length} chains${sinceMs === 0 ? '' : `, since ${new Date(sinceMs).toISOString()}`}`,
    })
    await send(call, exported(audit, { heads, last }))
    call.end()
  }
  run().catch((error: unknown) => call.emit('error', asServiceError(error, logger)))
}

/** Where each chain of the export begins and ends, before the entry of the export itself. */
async function headsSince(audit: AuditArchive, sinceMs: number): Promise<AuditHead[]> {
  const reader = openAuditReader(null)
  for await (const line of audit.lines()) {
    const entry = parseAuditEntry(line)
    const isBefore = entry !== null && Date.parse(entry.at) < sinceMs
    if (isBefore && !reader.heads().some(({ chain }) => chain === entry.chain)) continue
    const wrong = reader.take(line)
    if (wrong !== null) throw new ControllerError('AuditUnavailable', `exporting the audit log: ${wrong}`)
  }
  return reader.heads().slice(-AUDIT_HEADS_MAX)
}

/** What came after the heads were taken is left to the next export. */
async function* exported(
  audit: AuditArchive,
  { heads, last }: { readonly heads: readonly AuditHead[]; readonly last: number },
): AsyncGenerator<string> {
  const own = parseAuditEntry(audit.recent().at(-1) ?? '')?.chain
  for await (const line of audit.lines()) {
    const entry = parseAuditEntry(line)
    if (entry === null) continue
    const head = heads.find(({ chain }) => chain === entry.chain)
    const [first, end] =
      entry.chain === own ? [head?.first ?? last, last] : [head?.first ?? Infinity, head?.last ?? 0]
    if (entry.number >= first && entry.number <= end) yield line
  }
}

async function send(call: ExportCall, lines: AsyncGenerator<string>): Promise<void> {
  let batch: string[] = []
  const flush = async (): Promise<void> => {
    const more = call.write(create(ExportAuditResponseSchema, { lines: batch }))
    batch = []
    if (!more) await once(call, 'drain', { signal: AbortSignal.timeout(DRAIN_TIMEOUT_MS) })
  }
  for await (const line of lines) {
    if (call.cancelled) return
    batch.push(line)
    if (batch.length >= LINES_PER_MESSAGE) await flush()
  }
  if (batch.length > 0) await flush()
}
