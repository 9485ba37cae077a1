import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dequeue, enqueue, firstOf, keysOf, newQueue } from './queue.ts'

describe('a queue', () => {
  it('holds what a sorted array would, whatever comes and goes', () => {
    const change = fc.record({ key: fc.nat(3_000).map((key) => key.toString(36)), comes: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4_000, size: 'max' }), (changes) => {
        const queue = newQueue()
        const kept = new Set<string>()
        for (const { comes, key } of changes) {
          if (comes && !kept.has(key)) enqueue(queue, key)
          if (!comes) dequeue(queue, key)
          if (comes) kept.add(key)
          else kept.delete(key)
        }
        const sorted = [...kept].toSorted()
        expect([...keysOf(queue)]).toEqual(sorted)
        expect(queue.size).toBe(sorted.length)
        expect(firstOf(queue)).toBe(sorted[0])
        expect(queue.runs.every((run) => run.length > 0 && run.length <= 512)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('loses nothing when a key goes that is not in it', () => {
    const queue = newQueue()
    dequeue(queue, 'b')
    for (const key of ['a', 'c']) enqueue(queue, key)
    for (const key of ['', 'b', 'd']) dequeue(queue, key)
    expect([[...keysOf(queue)], queue.size]).toEqual([['a', 'c'], 2])
  })

  it('stays in order when keys come in order, from either end', () => {
    for (const way of [1, -1]) {
      const queue = newQueue()
      for (let count = 0; count < 5_000; count += 1) enqueue(queue, String(50_000 + way * count))
      const keys = [...keysOf(queue)]
      expect(keys).toEqual(keys.toSorted())
      expect(keys).toHaveLength(5_000)
    }
  })
})
