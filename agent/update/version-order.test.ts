import { expect, it } from 'vitest'
import { orderOfVersions } from './version-order.ts'

it('versions rise from left to right', () => {
  const rising =
    '1-1 1-2 1-10 1-a 1-a.1 1-a.1.x 1-b 1 1.0.1 v1.2+build 1.10 39.20240210.3.0 42.20260801.0'.split(' ')
  for (const [at, left] of rising.entries()) {
    for (const [other, right] of rising.entries()) {
      expect([left, right, orderOfVersions(left, right)]).toEqual([left, right, Math.sign(at - other)])
    }
  }
  expect(orderOfVersions('1.0', 'v1')).toBe(0)
})

it('what is no version has no place among them', () => {
  expect(['', 'nightly', '1..2', '1.x'].map((text) => orderOfVersions(text, '1'))).toEqual(
    Array(4).fill(null),
  )
  expect(orderOfVersions('1', 'nightly')).toBeNull()
})
