import { create } from '@bufbuild/protobuf'
import { parseAuditEntry } from '../../proto/audit-entry.ts'
import type { AuditEntry } from '../../proto/audit-entry.ts'
import { ListAuditRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { withoutAsked } from '../../proto/picture/told-orders.ts'
import { call } from '../client.ts'
import type { OperatorClient } from '../client.ts'

/** An order has two entries, and is shown as one event. */
const ENTRIES_PER_EVENT = 2
const ENTRIES_MAX = 1_000

/** The newest about an object, TYPE/NAME, or about whatever where it is empty; oldest first. */
export async function lastEvents(
  client: OperatorClient,
  about: string,
  count: number,
): Promise<readonly AuditEntry[]> {
  const request = create(ListAuditRequestSchema, { about, limit: entriesFor(count) })
  const { lines } = await call(client, client.service.listAudit, request)
  return eventsOf(lines).slice(-count)
}

export function entriesFor(events: number): number {
  return Math.min(events * ENTRIES_PER_EVENT, ENTRIES_MAX)
}

export function eventsOf(lines: readonly string[]): readonly AuditEntry[] {
  return withoutAsked(lines.flatMap((line) => parseAuditEntry(line) ?? []))
}
