import type { HostReport, ReportedEtc } from '../rollout/report.ts'

/** Of a stored value's 64 KiB; the rest is for what else is written of a host. */
const REPORT_MAX_BYTES = 48 * 1024
/** Of a count that is to be sent on. */
export const COUNT_MAX = 2 ** 32 - 1

/**
 * What comes first, as long as the JSON of it has room: a letter may take one byte on the wire and six when it is
 * stored.
 */
export function withinBytes<T>(entries: readonly T[], maxBytes: number): T[] {
  let sizeBytes = 0
  return entries.filter((entry) => {
    sizeBytes += sizeOf(entry)
    return sizeBytes <= maxBytes
  })
}

/**
 * The report without as much of what only people read as it takes to fit into a stored value: one that does not fit
 * would be taken for a store that is away, and keep every fleet waiting.
 */
export function fitted(report: HostReport): HostReport {
  let left = report
  for (const less of [withoutEtc, withoutLine, withoutConflicts, withoutEvidence, withoutDetails]) {
    if (sizeOf(left) <= REPORT_MAX_BYTES) return left
    left = less(left)
  }
  return left
}

/** That there are some stays told. */
function withoutEtc({ etcChanges: etc, ...rest }: HostReport): HostReport {
  return etc === undefined ? rest : { ...rest, etcChanges: withoutNames(etc) }
}

function withoutNames(etc: ReportedEtc): ReportedEtc {
  return { ...etc, changes: [], more: Math.min(COUNT_MAX, etc.more + etc.changes.length) }
}

function withoutLine({ kernelLine: _line, ...rest }: HostReport): HostReport {
  return rest
}

function withoutConflicts(report: HostReport): HostReport {
  return { ...report, etcConflicts: [] }
}

function withoutEvidence({ failure, ...rest }: HostReport): HostReport {
  return { ...rest, failure: failure === null ? null : { ...failure, evidence: [] } }
}

function withoutDetails({ health, ...rest }: HostReport): HostReport {
  const failedChecks = health.failedChecks.map(({ name }) => ({ name, detail: '' }))
  return { ...rest, health: { ...health, failedChecks } }
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
