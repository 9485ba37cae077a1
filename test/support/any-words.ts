import * as fc from 'fast-check'
import type { Amount, Selector } from '../../controller/desired-state/types.ts'

export const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
export const names = { size: 'small', maxLength: 3 } as const

export const label = fc.constantFrom('site', 'ring', 'example.org/rack', 'on', 'null')
export const labelValue = fc.constantFrom('', 'a', '1', 'true', 'null', '0x10', 'yes')

export const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`)
export const reason = fc
  .string({ minLength: 1, maxLength: 20 })
  .map((text) => `x${text.replaceAll(/\p{Cc}/gu, '#')}`)

export const seconds = (min: number, max: number) => fc.integer({ min, max }).map((count) => count * 1000)

export const duration = seconds(1, 90_000)

export const amount: fc.Arbitrary<Amount> = fc.oneof(
  fc.integer({ min: 1, max: 1_000_000 }).map((count): Amount => ({ kind: 'count', count })),
  fc.integer({ min: 1, max: 100 }).map((percent): Amount => ({ kind: 'percent', percent })),
)

export const percentage = fc.integer({ min: 0, max: 100 })

export const byName = <Named extends { readonly name: string }>(item: fc.Arbitrary<Named>, maxLength = 4) =>
  fc.uniqueArray(item, { maxLength, selector: (each) => each.name })

export const subset = <Value>(values: readonly Value[], minLength = 1) =>
  fc.subarray([...values], { minLength })

export const selector: fc.Arbitrary<Selector> = fc.oneof(
  fc.constant<Selector>({ kind: 'all' }),
  fc.record({
    kind: fc.constant('match' as const),
    labels: fc.dictionary(label, labelValue, { minKeys: 1, noNullPrototype: true }),
    expressions: fc.array(
      fc.oneof(
        fc.record({
          key: label,
          operator: fc.constantFrom('In' as const, 'NotIn' as const),
          values: fc.array(labelValue, { minLength: 1, maxLength: 3 }),
        }),
        fc.record({
          key: label,
          operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
          values: fc.constant([]),
        }),
      ),
      { maxLength: 2 },
    ),
  }),
)
