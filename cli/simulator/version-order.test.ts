import fc from 'fast-check'
import { expect, it } from 'vitest'
import { orderOfVersions } from '../../agent/update/version-order.ts'
import { compareVersions } from '../../controller/rollout/version-order.ts'

const number = fc.constantFrom('0', '1', '2', '10', '09', '20260801')
const part = fc.constantFrom('0', '1', '2', '10', 'a', 'b', 'rc')
const version = fc
  .record({
    v: fc.constantFrom('', 'v'),
    numbers: fc.array(number, { minLength: 1, maxLength: 4 }),
    prerelease: fc.array(part, { maxLength: 3 }),
    build: fc.constantFrom('', '+x'),
  })
  .map(({ v, numbers, prerelease, build }) => {
    const end = prerelease.length === 0 ? '' : `-${prerelease.join('.')}`
    return `${v}${numbers.join('.')}${end}${build}`
  })
const text = fc.oneof({ weight: 9, arbitrary: version }, fc.constantFrom('', 'nightly', '1..2', '1.x', '-1'))

it('hosts and the controller order versions alike', () => {
  fc.assert(
    fc.property(text, text, (left, right) => {
      expect(orderOfVersions(left, right)).toBe(compareVersions(left, right))
    }),
    { numRuns: 2_000 },
  )
})
