import { expect, it } from 'vitest'
import { backoffMs } from './backoff.ts'

const bounds = { baseMs: 1_000, maxMs: 60_000 }

it('spreads the first retry between half the base and twice the base', () => {
  expect(backoffMs(1, 0, bounds)).toBe(500)
  expect(backoffMs(1, 0.999_999, bounds)).toBe(2_000)
})

it('doubles with every failure and stops at the maximum', () => {
  expect(backoffMs(3, 0.999_999, bounds)).toBe(8_000)
  expect(backoffMs(1_000_000, 0.999_999, bounds)).toBe(60_000)
})
