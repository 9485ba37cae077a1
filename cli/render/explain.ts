import type { TraceResponse, WhyResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { renderFacts, renderRows } from './fit.ts'
import type { Style } from './style.ts'
import { ageWord, stateWord, timeWord } from './words.ts'

/** `columns` of the terminal; null: as wide as it gets. */
type Looks = { readonly style: Style; readonly columns: number | null }

export function renderWhy(
  why: WhyResponse,
  { columns, nowMs, style }: Looks & { readonly nowMs: bigint },
): string {
  const since = why.sinceMs === 0n ? '-' : `${timeWord(why.sinceMs)} (${ageWord(why.sinceMs, nowMs)})`
  const facts = [
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
  ]
  return renderFacts(facts, columns)
}

/** One line per hop, the commit first. */
export function renderTrace({ hops }: TraceResponse, { columns, style }: Looks): string {
  if (hops.length === 0) return style('quiet', 'nothing was ever granted, and nothing is wanted\n')
  const rows = hops.map(({ kind, name, message, atMs, actor }) => [
    kind,
    timeWord(atMs),
    actor === '' ? '-' : actor,
    message === '' ? name : `${name}: ${message}`,
  ])
  return renderRows([['HOP', 'TIME', 'BY', 'WHAT'], ...rows], { columns, optional: ['BY', 'TIME'] }).join('')
}
