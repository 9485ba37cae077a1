import { create } from '@bufbuild/protobuf'
import type { ServerWritableStream } from '@grpc/grpc-js'
import { parseAuditEntry } from '../../proto/audit-entry.ts'
import { AuditPlaceSchema, WatchAuditResponseSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  AuditPlace,
  WatchAuditRequest,
  WatchAuditResponse,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { entriesAbout } from './audit-about.ts'
import { chosenEntries, listedCount } from './audit-entries.ts'
import type { AuditArchive, Exporting } from './audit-entries.ts'
import { watch } from './watching.ts'

/** The end of the log, and then each entry as it is written. */
export function watchAudit(
  call: ServerWritableStream<WatchAuditRequest, WatchAuditResponse>,
  { audit, ...parts }: Exporting,
): void {
  const { about, after, limit } = call.request
  let place = after ?? null
  let isFirst = true
  watch('watchAudit', call, {
    ...parts,
    listen: audit.listen,
    next(viewer) {
      const isBegin = place === null
      const found = linesAfter(audit, place)
      const chosen = chosenEntries(found.lines, entriesAbout(about, parts.permissions.state), viewer)
      const lines = isBegin ? chosen.slice(-listedCount(limit)) : chosen
      place = found.place
      if (!isFirst && lines.length === 0 && found.missed === 0) return null
      isFirst = false
      const at = place === null ? {} : { place }
      return create(WatchAuditResponseSchema, { lines, missed: BigInt(found.missed), ...at })
    },
  })
}

type LinesAfter = {
  readonly lines: readonly string[]
  readonly missed: number
  readonly place: AuditPlace | null
}

/** Entries of a chain have no gap between their numbers, so that none is read but those that are new. */
function linesAfter({ recent }: AuditArchive, after: AuditPlace | null): LinesAfter {
  const lines = recent()
  const newest = parseAuditEntry(lines.at(-1) ?? '')
  if (newest === null) return { lines: [], missed: 0, place: after }
  const { chain, number, at } = newest
  const place = create(AuditPlaceSchema, { chain, number: BigInt(number), atMs: BigInt(Date.parse(at)) })
  if (after === null) return { lines, missed: 0, place }
  if (after.chain !== chain) {
    const isSince = (line: string): boolean =>
      Date.parse(parseAuditEntry(line)?.at ?? '') >= Number(after.atMs)
    return { lines: lines.filter(isSince), missed: 0, place }
  }
  const count = Math.max(0, number - Number(after.number))
  return {
    lines: count === 0 ? [] : lines.slice(-count),
    missed: Math.max(0, count - lines.length),
    place,
  }
}
