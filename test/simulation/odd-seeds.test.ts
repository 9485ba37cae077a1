import { expect, it } from 'vitest'
import { described, everySecond, liveThrough, promised } from './seeds.ts'

it('breaks no invariant in a thousand fleets, whatever goes wrong (odd seeds)', () => {
  const totals = liveThrough(everySecond(1, 1000))
  console.log(described(totals))
  const { hostHours, seeds } = promised()
  expect(totals.seeds).toBeGreaterThanOrEqual(seeds)
  expect(totals.hostHours).toBeGreaterThanOrEqual(hostHours)
})
