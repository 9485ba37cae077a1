import { expect, it } from 'vitest'
import { parseTarget } from './target.ts'

const types = ['fleet', 'rollout', 'host'] as const

it.each([
  [['edge'], { type: null, name: 'edge' }],
  [['fleet/edge'], { type: 'fleet', name: 'edge' }],
  [['fleets', 'edge'], { type: 'fleet', name: 'edge' }],
  [['rollout', 'edge.2'], { type: 'rollout', name: 'edge.2' }],
  [['host/till-17'], { type: 'host', name: 'till-17' }],
])('takes %j', (words, target) => {
  expect(parseTarget('retry', words, types)).toEqual(target)
})

it.each([
  [[]],
  [['']],
  [['fleet/']],
  [['wave/x']],
  [['fleet', 'a', 'b']],
  [['fleet/a', 'b']],
  [['toString', 'x']],
])('refuses %j, and says what it takes', (words) => {
  expect(() => parseTarget('retry', words, types)).toThrow(
    `retry takes fleet/NAME or rollout/NAME or host/NAME (or TYPE NAME), not "${words.join(' ')}"`,
  )
})
