import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextPollDelayMs } from './poll-schedule.ts'

const schedule = { intervalMs: 30_000, maxBackoffMs: 600_000 }

test('without failures the interval is kept', () => {
  expect(nextPollDelayMs(schedule, { failuresInARow: 0 }, 0.9)).toBe(30_000)
})

test('after failures the ceiling doubles up to the maximum, and jitter takes any part of it', () => {
  expect(nextPollDelayMs(schedule, { failuresInARow: 1 }, 0.5)).toBe(15_000)
  expect(nextPollDelayMs(schedule, { failuresInARow: 2 }, 0.5)).toBe(30_000)
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), random, (failuresInARow, part) => {
      const delayMs = nextPollDelayMs(schedule, { failuresInARow }, part)
      expect(delayMs).toBeGreaterThanOrEqual(0)
      expect(delayMs).toBeLessThan(600_000)
    }),
  )
})

test('what the peer asked for is waited out', () => {
  expect(nextPollDelayMs(schedule, { failuresInARow: 1, retryAfterMs: 900_000 }, 0.5)).toBe(900_000)
})
