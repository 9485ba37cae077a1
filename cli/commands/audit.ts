import { create } from '@bufbuild/protobuf'
import type { ServiceError } from '@grpc/grpc-js'
import { auditHash, parseAuditEntry } from '../../proto/audit-entry.ts'
import { ExportAuditRequestSchema, ListAuditRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call, refusalOf, streamed } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderAudit } from '../render/audit.ts'
import { styleFor } from '../render/style.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { columnsOf } from '../terminal.ts'

const exportTimeoutMs = 10 * 60_000

export type AuditListOptions = {
  readonly limit: number
  readonly fleet?: string
  readonly output: 'table' | 'json'
}

export function runAuditList(
  session: Session,
  { limit, fleet = '', output }: AuditListOptions,
): Promise<ExitStatus> {
  const { terminal } = session
  return withClient(session, async (client) => {
    const request = create(ListAuditRequestSchema, { limit, fleet })
    const { lines } = await call(client, client.service.listAudit, request)
    const entries = lines.flatMap((line) => parseAuditEntry(line) ?? [])
    if (output === 'json') terminal.out(`${JSON.stringify(entries, null, 2)}\n`)
    else if (entries.length === 0) terminal.note(noEntries(fleet))
    else {
      const view = { columns: columnsOf(terminal), style: styleFor(terminal.colour) }
      terminal.out(renderAudit(entries, view))
    }
    return exitStatus.done
  })
}

function noEntries(fleet: string): string {
  return `no entries${fleet === '' ? '' : ` about fleet ${fleet}`} that you may see\n`
}

/** Lines go to stdout as they come, the hash to note down to stderr. */
export function runAuditExport(session: Session, sinceMs: number): Promise<ExitStatus> {
  const { terminal } = session
  return withClient(session, async (client) => {
    let count = 0
    let last = ''
    for await (const line of exportedLines(client, sinceMs, terminal.signal)) {
      terminal.out(`${line}\n`)
      count += 1
      last = line
    }
    terminal.note(
      `✔ ${count} entries; note this where nobody can change it, for verify --head: ${auditHash(last)}\n`,
    )
    return exitStatus.done
  })
}

async function* exportedLines(
  client: OperatorClient,
  sinceMs: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const request = create(ExportAuditRequestSchema, { sinceMs: BigInt(sinceMs) })
  const stream = client.service.exportAudit(request, { deadline: Date.now() + exportTimeoutMs })
  try {
    for await (const { lines } of streamed(stream, signal)) yield* lines
  } catch (error) {
    signal.throwIfAborted()
    throw refusalOf(error as ServiceError, client)
  }
}
