import type { TraceResponse, WhyResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Style } from './style.ts'
import { renderTable } from './table.ts'
import { ageWord, stateWord, timeWord } from './words.ts'

export function renderWhy(
  why: WhyResponse,
  { nowMs, style }: { readonly nowMs: bigint; readonly style: Style },
): string {
  const since = why.sinceMs === 0n ? '-' : `${timeWord(why.sinceMs)} (${ageWord(why.sinceMs, nowMs)})`
  return renderTable([
    ['Host:', why.hostName],
    ['Fleet:', why.fleet === '' ? '-' : why.fleet],
    ['Phase:', stateWord(why.phase, style)],
    // One that is done is kept back by nothing.
    ['Reason:', why.phase === 'Succeeded' && why.reason === 'Progressing' ? '-' : why.reason],
    ['Why:', why.message],
    ...(why.failedDigest === '' ? [] : [['Failed:', why.failedDigest]]),
    ...why.evidence.map((line) => ['Evidence:', line]),
    ['Since:', since],
    ['Next:', why.next],
  ])
}

/** One line per hop, the commit first. */
export function renderTrace({ hops }: TraceResponse, style: Style): string {
  if (hops.length === 0) return style('quiet', 'nothing was ever granted, and nothing is wanted\n')
  const rows = hops.map(({ kind, name, message, atMs, actor }) => [
    kind,
    timeWord(atMs),
    actor === '' ? '-' : actor,
    message === '' ? name : `${name}: ${message}`,
  ])
  return renderTable([['HOP', 'TIME', 'BY', 'WHAT'], ...rows])
}
