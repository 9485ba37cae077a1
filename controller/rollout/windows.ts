import { dateOf, dayNumberOf, weekdayOf } from '../desired-state/calendar.ts'
import type { Window, WindowAction } from '../desired-state/types.ts'
import { instantToLocal, localToInstant } from '../desired-state/zone.ts'

/** A time during which an action may begin; `endMs` null: longer than anybody looks ahead. */
export type Opening = { readonly startMs: number; readonly endMs: number | null; readonly timeZone: string }

const dayMs = 86_400_000

/** Windows recur weekly: what does not open within two of them, and a day for the longest night, never does. */
export const lookAheadMs = 15 * dayMs

const always: Opening = { startMs: Number.NEGATIVE_INFINITY, endMs: null, timeZone: 'UTC' }

/**
 * When the action may begin, from an instant on and soonest first. A window belongs to the local day that it starts
 * on, whatever day it ends on, and lasts as long as it says also where clocks change meanwhile. Deny beats Allow,
 * and without any Allow window everything is allowed that none denies.
 */
export function openingsFrom(
  windows: readonly Window[],
  action: WindowAction,
  fromMs: number,
): readonly Opening[] {
  const spans = windows
    .filter(({ actions }) => actions.includes(action))
    .flatMap((window) => spansOf(window, fromMs))
  if (
    spans.length === 0 &&
    !windows.some(({ actions, kind }) => kind === 'Allow' && actions.includes(action))
  ) {
    return [always]
  }
  const hasAllow = windows.some(({ actions, kind }) => kind === 'Allow' && actions.includes(action))
  const endMs = fromMs + lookAheadMs
  const edges = spans.flatMap((span) => [span.startMs, span.endMs]).filter((at) => at > fromMs && at < endMs)
  const openings: Opening[] = []
  for (const startMs of [fromMs, ...new Set(edges.toSorted((a, b) => a - b))]) {
    const at = { startMs, endMs }
    extend(openings, at, isOpen(spans, startMs, hasAllow) ? zoneOf(spans, startMs) : null)
  }
  return openings.map((opening) => (opening.endMs === endMs ? { ...opening, endMs: null } : opening))
}

type Span = { readonly window: Window; readonly startMs: number; readonly endMs: number }

function spansOf(window: Window, fromMs: number): readonly Span[] {
  const { days, durationMs, startMinute, timeZone } = window
  const today = dayNumberOf(instantToLocal(fromMs, timeZone))
  const first = today - Math.ceil(durationMs / dayMs) - 1
  const spans: Span[] = []
  for (let day = first; day <= today + lookAheadMs / dayMs + 1; day += 1) {
    if (!days.includes(weekdayOf(day))) continue
    const startMs = localToInstant({ ...dateOf(day), minuteOfDay: startMinute }, timeZone)
    spans.push({ window, startMs, endMs: startMs + durationMs })
  }
  return spans
}

function isOpen(spans: readonly Span[], atMs: number, hasAllow: boolean): boolean {
  const current = spans.filter(({ endMs, startMs }) => startMs <= atMs && atMs < endMs)
  if (current.some(({ window }) => window.kind === 'Deny')) return false
  return !hasAllow || current.length > 0
}

/** The zone of the window whose beginning or end opens it. */
function zoneOf(spans: readonly Span[], atMs: number): string {
  const turn = spans.find(
    ({ endMs, startMs, window }) => (window.kind === 'Allow' ? startMs : endMs) === atMs,
  )
  // Without any span it is open at all times, and nobody asks.
  return ((turn ?? spans[0]) as Span).window.timeZone
}

/** Openings are found edge by edge: each goes on to the end until a closed edge ends it. */
function extend(
  openings: Opening[],
  at: { readonly startMs: number; readonly endMs: number },
  timeZone: string | null,
): void {
  const last = openings.at(-1)
  const goesOn = last?.endMs === at.endMs
  if (timeZone !== null && !goesOn) openings.push({ ...at, timeZone })
  if (timeZone === null && goesOn) openings[openings.length - 1] = { ...(last as Opening), endMs: at.startMs }
}

/** Openings of a fleet, found once and good for as long as they still look far enough ahead. */
export type Schedule = {
  readonly windows: unknown
  readonly fromMs: number
  readonly openings: Readonly<Record<WindowAction, readonly Opening[]>>
}

export type WindowGate =
  /** `untilMs`: the last instant at which the action may begin and still end inside; null: no end. */
  | { readonly kind: 'Open'; readonly untilMs: number | null; readonly endMs: number | null }
  /** `next` null: none is long enough, `longestMs` is the longest there is. */
  | { readonly kind: 'Closed'; readonly next: Opening | null; readonly longestMs: number }

/** Whether an action that takes `needMs` may begin at an instant, by openings that reach back to it. */
export function gateAt(openings: readonly Opening[], needMs: number, atMs: number): WindowGate {
  const lengthOf = ({ endMs, startMs }: Opening): number =>
    endMs === null ? Number.POSITIVE_INFINITY : endMs - startMs
  for (const opening of openings) {
    const { endMs, startMs } = opening
    // The end itself is outside, also for what takes no time.
    const untilMs = endMs === null ? null : endMs - Math.max(needMs, 1)
    if (startMs <= atMs && (untilMs === null || atMs <= untilMs)) return { kind: 'Open', untilMs, endMs }
  }
  const next = openings.find((opening) => opening.startMs > atMs && lengthOf(opening) >= needMs) ?? null
  return { kind: 'Closed', next, longestMs: Math.max(0, ...openings.map(lengthOf)) }
}
