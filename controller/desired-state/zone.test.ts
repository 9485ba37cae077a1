// oxlint-disable no-restricted-globals -- the platform's calendar is what ours is compared with
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { dateOf, dayNumberOf, weekdayOf } from './calendar.ts'
import { instantToLocal, isTimeZone, localToInstant, timeZoneNames } from './zone.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'Africa/Casablanca',
  'America/St_Johns',
  'Pacific/Apia',
  'Pacific/Kiritimati',
]
const someZone = fc.constantFrom(...zones)
const someMinute = fc
  .integer({ min: Date.UTC(1990, 0) / minuteMs, max: Date.UTC(2040, 0) / minuteMs })
  .map((minute) => minute * minuteMs)

const local = (text: string) => {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = text.split(/\D/).map(Number)
  return { year, month, day, minuteOfDay: hour * 60 + minute }
}

test.each([
  ['an ordinary time', '2026-11-21T22:00', 'Europe/Berlin', '2026-11-21T21:00:00Z'],
  ['the minute before a gap', '2026-03-29T01:59', 'Europe/Berlin', '2026-03-29T00:59:00Z'],
  ['a time in a gap', '2026-03-29T02:30', 'Europe/Berlin', '2026-03-29T01:30:00Z'],
  ['the start of a gap', '2026-03-29T02:00', 'Europe/Berlin', '2026-03-29T01:00:00Z'],
  ['the end of a gap', '2026-03-29T03:00', 'Europe/Berlin', '2026-03-29T01:00:00Z'],
  ['a time in an overlap', '2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T00:30:00Z'],
  ['the end of an overlap', '2026-10-25T03:00', 'Europe/Berlin', '2026-10-25T02:00:00Z'],
  ['a gap west of Greenwich', '2026-03-08T02:30', 'America/New_York', '2026-03-08T07:30:00Z'],
  ['an overlap west of Greenwich', '2026-11-01T01:30', 'America/New_York', '2026-11-01T05:30:00Z'],
  ['a gap of half an hour', '2026-10-04T02:10', 'Australia/Lord_Howe', '2026-10-03T15:40:00Z'],
  ['an overlap of half an hour', '2026-04-05T01:40', 'Australia/Lord_Howe', '2026-04-04T14:40:00Z'],
  ['a zone without DST', '2026-06-01T00:00', 'Asia/Kolkata', '2026-05-31T18:30:00Z'],
  ['the overlap before Ramadan', '2026-02-15T02:30', 'Africa/Casablanca', '2026-02-15T01:30:00Z'],
  ['the gap after Ramadan', '2026-03-22T02:30', 'Africa/Casablanca', '2026-03-22T02:30:00Z'],
  ['a day that was left out', '2011-12-30T12:00', 'Pacific/Apia', '2011-12-30T22:00:00Z'],
  ['minutes beyond the day', '2026-11-21T24:00', 'Asia/Kolkata', '2026-11-21T18:30:00Z'],
  ['days beyond the month', '2026-02-29T00:00', 'UTC', '2026-03-01T00:00:00Z'],
])('%s, %s in %s, is %s', (_what, text, zone, expected) => {
  expect(new Date(localToInstant(local(text), zone)).toISOString()).toBe(expected.replace('Z', '.000Z'))
})

test('the time that clocks show at an instant leads back to it, or to the first time they showed it', () => {
  fc.assert(
    fc.property(someMinute, someZone, (ms, zone) => {
      const shown = instantToLocal(ms, zone)
      const first = localToInstant(shown, zone)
      expect(first).toBeLessThanOrEqual(ms)
      expect(ms - first).toBeLessThanOrEqual(24 * hourMs)
      expect(instantToLocal(first, zone)).toEqual(shown)
    }),
  )
})

/** Around the one transition that lies within two days of an instant, by minutes: what a clock shows, and when. */
function shownAround(ms: number, zone: string): Map<string, number> {
  const first = new Map<string, number>()
  for (let at = ms - 2 * 24 * hourMs; at < ms + 2 * 24 * hourMs; at += 15 * minuteMs) {
    const { year, month, day, minuteOfDay } = instantToLocal(at, zone)
    const key = [year, month, day, minuteOfDay].join()
    if (!first.has(key)) first.set(key, at)
  }
  return first
}

test.each([
  ['Europe/Berlin', '2027-03-28T00:00Z'],
  ['Europe/Berlin', '2027-10-31T00:00Z'],
  ['America/New_York', '2027-03-14T00:00Z'],
  ['America/New_York', '2027-11-07T00:00Z'],
  ['Australia/Lord_Howe', '2027-04-04T00:00Z'],
  ['Australia/Lord_Howe', '2027-10-03T00:00Z'],
  ['Africa/Casablanca', '2027-02-07T00:00Z'],
  ['Africa/Casablanca', '2027-03-14T00:00Z'],
  ['Pacific/Apia', '2011-12-30T00:00Z'],
])('in %s every quarter of an hour around %s agrees with a search of all instants', (zone, about) => {
  const centre = Date.parse(about)
  const shown = shownAround(centre, zone)
  let skipped = 0
  for (let at = centre - 24 * hourMs; at < centre + 24 * hourMs; at += 15 * minuteMs) {
    const date = new Date(at)
    const wanted = {
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
      minuteOfDay: date.getUTCHours() * 60 + date.getUTCMinutes(),
    }
    const found = localToInstant(wanted, zone)
    const searched = shown.get(Object.values(wanted).join())
    if (searched === undefined) skipped += 1
    else expect(found).toBe(searched)
    // Never earlier than what an earlier time on the clock means, but for a gap: there it is as late as its end.
    const later = instantToLocal(found, zone)
    const laterMs = Date.UTC(later.year, later.month - 1, later.day) + later.minuteOfDay * minuteMs
    expect(laterMs).toBeGreaterThanOrEqual(at)
  }
  const gapMinutes = { 'Europe/Berlin': 60, 'America/New_York': 60, 'Australia/Lord_Howe': 30 }[zone]
  expect([0, (gapMinutes ?? 60) / 15, 24 * 4]).toContain(skipped)
})

test('the weekday is that of the zone, not that of Greenwich', () => {
  const ms = Date.parse('2026-11-21T23:30Z')
  expect(instantToLocal(ms, 'UTC')).toEqual({
    year: 2026,
    month: 11,
    day: 21,
    weekday: 'Sat',
    minuteOfDay: 1410,
  })
  expect(instantToLocal(ms, 'Europe/Berlin')).toMatchObject({ day: 22, weekday: 'Sun', minuteOfDay: 30 })
})

test('fractions of a minute, and instants before 1970, belong to the minute that has begun', () => {
  expect(instantToLocal(59_999, 'UTC').minuteOfDay).toBe(0)
  expect(instantToLocal(-1, 'UTC')).toMatchObject({ year: 1969, month: 12, day: 31, minuteOfDay: 1439 })
})

test.each(['UTC', 'Etc/UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'US/Eastern'])(
  '%s is a time zone',
  (name) => expect(isTimeZone(name)).toBe(true),
)
test.each(['', 'Europe/Berln', '+05:30', 'Europe', ' UTC', 'local'])('%j is no time zone', (name) =>
  expect(isTimeZone(name)).toBe(false),
)
test('every name that is suggested is a time zone', () => {
  const names = timeZoneNames()
  expect(names.length).toBeGreaterThan(300)
  for (const name of names) expect(isTimeZone(name)).toBe(true)
})

test('days are counted as the platform counts them', () => {
  const names = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
  fc.assert(
    fc.property(fc.integer({ min: -800_000, max: 3_000_000 }), (number) => {
      const date = new Date(number * 24 * hourMs)
      const expected = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }
      expect(dateOf(number)).toEqual(expected)
      expect(dayNumberOf(expected)).toBe(number)
      expect(weekdayOf(number)).toBe(names[date.getUTCDay()])
    }),
    { numRuns: 1000 },
  )
})
