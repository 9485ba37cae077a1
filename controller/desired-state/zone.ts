import { dateOf, dayNumberOf, weekdayOf } from './calendar.ts'
import type { CalendarDate } from './calendar.ts'
import type { Weekday } from './types.ts'

/** A date and a time of day as a clock on the wall shows them: minutes since midnight, however many went by. */
export type LocalTime = CalendarDate & { readonly minuteOfDay: number }

const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** An IANA name. Offsets like "+05:30" are not: some versions of Node.js take them, and they know no DST. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    formatterOf(name)
    return true
  } catch {
    return false
  }
}

/** For suggestions; names that only are aliases may be missing. */
export function timeZoneNames(): readonly string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone')]
}

/**
 * The instant at which the clocks of a zone show a time. One that they skip is moved forward by what they skip
 * (02:30 in a night from 02:00 to 03:00 is 03:30), and of one that they show twice the first is taken. `day` and
 * `minuteOfDay` may lie beyond their month and day.
 */
export function localToInstant(local: LocalTime, timeZone: string): number {
  const formatter = formatterOf(timeZone)
  const shownMs = dayNumberOf(local) * dayMs + local.minuteOfDay * minuteMs
  // No zone is further than a day from UTC: whatever transition matters lies between the two.
  const beforeMs = offsetMsAt(shownMs - dayMs, formatter)
  const afterMs = offsetMsAt(shownMs + dayMs, formatter)
  const first = shownMs - Math.max(beforeMs, afterMs)
  const last = shownMs - Math.min(beforeMs, afterMs)
  if (first + offsetMsAt(first, formatter) === shownMs) return first
  if (last + offsetMsAt(last, formatter) === shownMs) return last
  return shownMs - beforeMs
}

export function instantToLocal(ms: number, timeZone: string): LocalTime & { readonly weekday: Weekday } {
  const shownMs = ms + offsetMsAt(ms, formatterOf(timeZone))
  const dayNumber = Math.floor(shownMs / dayMs)
  const minuteOfDay = Math.floor((shownMs - dayNumber * dayMs) / minuteMs)
  return { ...dateOf(dayNumber), weekday: weekdayOf(dayNumber), minuteOfDay }
}

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric' } as const
  const time = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const
  return new Intl.DateTimeFormat('en-US', { ...numeric, ...time, timeZone })
}

function offsetMsAt(ms: number, formatter: Intl.DateTimeFormat): number {
  const shown = formatter.format(ms).split(/\D+/).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [month, day, year, hour, minute, second] = shown
  const shownMs =
    dayNumberOf({ year, month, day }) * dayMs + hour * hourMs + minute * minuteMs + second * secondMs
  return shownMs - Math.floor(ms / secondMs) * secondMs
}
