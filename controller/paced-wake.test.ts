import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createPacedWake } from './paced-wake.ts'

let woken = 0
const paced = () => createPacedWake(5000, () => (woken += 1))

beforeEach(() => {
  woken = 0
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('wakes at once, and whoever calls too soon only at the end of the interval', () => {
  const { wake } = paced()
  wake()
  expect(woken).toBe(1)
  for (let calls = 0; calls < 1000; calls += 1) wake()
  expect(woken).toBe(1)
  vi.advanceTimersByTime(5000)
  expect(woken).toBe(2)
  vi.advanceTimersByTime(60_000)
  expect(woken).toBe(2)
  wake()
  expect(woken).toBe(3)
})

it('wakes nobody after it was closed', () => {
  const { wake, close } = paced()
  wake()
  wake()
  close()
  vi.advanceTimersByTime(60_000)
  expect(woken).toBe(1)
})
