import { describe, expect, it } from 'vitest'
import { endOfRank, hashOf, hostIdOf, keyOfRank, orderKey, rankOf } from './order.ts'

const ids = Array.from({ length: 20_000 }, (_, index) => `host-${index}`)

describe('the order of hosts', () => {
  it('is the same in every process', () => {
    expect(orderKey('rev-1', 'h1')).toBe(keyOfRank(rankOf(hashOf('rev-1'), hashOf('h1')), 'h1'))
    expect([orderKey('rev-1', 'h1'), orderKey('rev-2', 'h1'), orderKey('rev-1', 'h2')])
      .toMatchInlineSnapshot(`
      [
        "1f241ffdf83238h1",
        "0caa19fdc31666h1",
        "16d7a0f32ab8fch2",
      ]
    `)
    expect(hostIdOf(`1${orderKey('rev-1', 'h1')}`)).toBe('h1')
  })

  it('spreads ids that differ in their last letters evenly, with no two in one place', () => {
    const revision = hashOf('rev-1')
    const ranks = ids.map((id) => rankOf(revision, hashOf(id)))
    expect(new Set(ranks).size).toBe(ids.length)
    const tenths = Array.from({ length: 100 }, () => 0)
    for (const rank of ranks)
      tenths[Math.floor((rank / 2 ** 53) * 100)] = (tenths[Math.floor((rank / 2 ** 53) * 100)] ?? 0) + 1
    // Chi-squared with 99 degrees of freedom is below 160 in all but one of ten thousand random draws.
    expect(tenths.reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0)).toBeLessThan(160)
  })

  it('is another one for each revision, however little they differ', () => {
    const first = (revision: string): Set<string> =>
      new Set(
        ids.toSorted((a, b) => (orderKey(revision, a) < orderKey(revision, b) ? -1 : 1)).slice(0, 2_000),
      )
    const [a, b] = [first('rev-1'), first('rev-2')]
    const both = [...a].filter((id) => b.has(id)).length
    expect(both).toBeGreaterThan(130)
    expect(both).toBeLessThan(270)
  })

  it('ends a wave behind every host of the same rank', () => {
    expect(keyOfRank(7, 'zzzz') < endOfRank(7)).toBe(true)
    expect(endOfRank(7) < keyOfRank(8, '')).toBe(true)
  })
})
