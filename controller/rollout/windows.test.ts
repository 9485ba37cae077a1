import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Weekday, Window } from '../desired-state/types.ts'
import { instantToLocal, localToInstant } from '../desired-state/zone.ts'
import { gateAt, openingsFrom } from './windows.ts'

const hourMs = 3_600_000
const minuteMs = 60_000
const newYearMs = localToInstant({ year: 2026, month: 1, day: 1, minuteOfDay: 0 }, 'UTC')
const weekdays: readonly Weekday[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

function window(changes: Partial<Window> = {}): Window {
  return {
    kind: 'Allow',
    days: ['Fri'],
    startMinute: 22 * 60,
    durationMs: 4 * hourMs,
    timeZone: 'Europe/Berlin',
    actions: ['Activate'],
    ...changes,
  }
}

type LocalTime = readonly [year: number, month: number, day: number, hour: number, minute?: number]

function berlin(...[year, month, day, hour, minute = 0]: LocalTime): number {
  return localToInstant({ year, month, day, minuteOfDay: hour * 60 + minute }, 'Europe/Berlin')
}

function isOpen(windows: readonly Window[], atMs: number, needMs = 0): boolean {
  return gateAt(openingsFrom(windows, 'Activate', atMs), needMs, atMs).kind === 'Open'
}

describe('a window', () => {
  it('belongs to the day it starts on: Friday 22:00 to 02:00 is open on Saturday at 00:30, not on Friday', () => {
    // 2026-01-16 is a Friday.
    expect(isOpen([window()], berlin(2026, 1, 16, 0, 30))).toBe(false)
    expect(isOpen([window()], berlin(2026, 1, 16, 22))).toBe(true)
    expect(isOpen([window()], berlin(2026, 1, 17, 0, 30))).toBe(true)
    expect(isOpen([window()], berlin(2026, 1, 17, 2, 1))).toBe(false)
  })

  it('opens at the same local time before and after the clocks change', () => {
    const daily = window({ days: weekdays, startMinute: 3 * 60, durationMs: hourMs })
    for (const [month, day] of [
      [3, 28],
      [3, 29],
      [3, 30],
      [10, 24],
      [10, 25],
      [10, 26],
    ] as const) {
      expect(isOpen([daily], berlin(2026, month, day, 3, 10))).toBe(true)
      expect(isOpen([daily], berlin(2026, month, day, 4, 10))).toBe(false)
    }
  })

  it('lasts as long as it says in the night in which an hour is skipped or comes twice', () => {
    const night = window({ days: ['Sat'], startMinute: 23 * 60, durationMs: 4 * hourMs })
    for (const start of [berlin(2026, 3, 28, 23), berlin(2026, 10, 24, 23)]) {
      const [opening] = openingsFrom([night], 'Activate', start - hourMs)
      expect(opening).toMatchObject({ startMs: start, endMs: start + 4 * hourMs })
    }
  })

  it('opens after the clocks were moved on when its start is skipped', () => {
    const skipped = window({ days: ['Sun'], startMinute: 150, durationMs: hourMs })
    const [opening] = openingsFrom([skipped], 'Activate', berlin(2026, 3, 29, 0))
    expect(instantToLocal(opening?.startMs ?? 0, 'Europe/Berlin')).toMatchObject({
      day: 29,
      minuteOfDay: 210,
    })
  })

  it('that denies beats one that allows, and its end opens again', () => {
    const deny = window({ kind: 'Deny', startMinute: 23 * 60, durationMs: hourMs })
    const start = berlin(2026, 1, 16, 22)
    expect(openingsFrom([window(), deny], 'Activate', start).slice(0, 2)).toMatchObject([
      { startMs: start, endMs: start + hourMs },
      { startMs: start + 2 * hourMs, endMs: start + 4 * hourMs },
    ])
    expect(isOpen([deny], start)).toBe(true)
    expect(isOpen([deny], start + hourMs)).toBe(false)
  })

  it('for downloads says nothing about activation', () => {
    const download = window({ actions: ['Download'] })
    expect(gateAt(openingsFrom([download], 'Activate', 0), hourMs, 0)).toMatchObject({
      kind: 'Open',
      endMs: null,
    })
  })

  it('lets nothing begin that could not end inside, and says when none is long enough', () => {
    const end = berlin(2026, 1, 17, 2)
    expect(isOpen([window()], end - 30 * minuteMs, 30 * minuteMs)).toBe(true)
    expect(isOpen([window()], end - 30 * minuteMs + 1, 30 * minuteMs)).toBe(false)
    const gate = gateAt(openingsFrom([window()], 'Activate', end - 5 * hourMs), 5 * hourMs, end - 5 * hourMs)
    expect(gate).toEqual({ kind: 'Closed', next: null, longestMs: 4 * hourMs })
  })

  it('is over at its end, also for what takes no time', () => {
    const start = berlin(2026, 1, 16, 22)
    const openings = openingsFrom([window()], 'Activate', start)
    expect(gateAt(openings, 0, start + 4 * hourMs - 1).kind).toBe('Open')
    expect(gateAt(openings, 0, start + 4 * hourMs).kind).toBe('Closed')
  })

  it('is found the same from any instant, in any zone', () => {
    const any = fc.record({
      kind: fc.constantFrom('Allow' as const, 'Deny' as const),
      days: fc.subarray([...weekdays], { minLength: 1 }),
      startMinute: fc.nat(1439),
      durationMs: fc.integer({ min: 1, max: 30 }).map((hours) => hours * hourMs),
      timeZone: fc.constantFrom(
        'UTC',
        'Europe/Berlin',
        'America/St_Johns',
        'Australia/Lord_Howe',
        'Asia/Kolkata',
      ),
      actions: fc.constant(['Activate'] as const),
    })
    const instant = fc
      .integer({ min: 0, max: 365 * 24 * 12 })
      .map((fives) => newYearMs + fives * 5 * minuteMs)
    fc.assert(
      fc.property(
        fc.array(any, { maxLength: 3 }),
        instant,
        fc.nat(7 * 24 * 60),
        (windows, fromMs, minutes) => {
          const atMs = fromMs + minutes * minuteMs
          const [before, at] = [fromMs, atMs].map((from) =>
            gateAt(openingsFrom(windows, 'Activate', from), 0, atMs),
          )
          expect(before?.kind).toBe(at?.kind)
          expect(at?.kind === 'Open').toBe(byHand(windows, atMs))
        },
      ),
      { numRuns: 150 },
    )
  })
})

/** Looks back from the instant, start by start. */
function byHand(windows: readonly Window[], atMs: number): boolean {
  const holds = ({ days, durationMs, startMinute, timeZone }: Window): boolean =>
    [0, 1, 2].some((back) => {
      const { day, month, year } = instantToLocal(atMs, timeZone)
      const startMs = localToInstant({ year, month, day: day - back, minuteOfDay: startMinute }, timeZone)
      const noon = localToInstant({ year, month, day: day - back, minuteOfDay: 720 }, timeZone)
      const isDay = days.includes(instantToLocal(noon, timeZone).weekday)
      return isDay && startMs <= atMs && atMs < startMs + durationMs
    })
  const ofKind = (kind: Window['kind']): readonly Window[] => windows.filter((each) => each.kind === kind)
  return !ofKind('Deny').some(holds) && (ofKind('Allow').length === 0 || ofKind('Allow').some(holds))
}
