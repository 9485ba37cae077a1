import { expect, test } from 'vitest'
import type { BelowStore } from './leftovers.ts'
import { findLeftovers, nestedIn } from './leftovers.ts'

const layer = 'a'.repeat(64)
const lost = 'b'.repeat(64)

function below(...names: string[]): BelowStore[] {
  return names.map((name, at) => ({ name, id: 300 + at, uuid: `uuid-${name}` }))
}

function found(subvolumes: BelowStore[], held: readonly string[] = []): string[] {
  return findLeftovers({
    subvolumes,
    known: new Set([`uuid-${layer}-work1`]),
    layers: new Set([layer]),
    isHeld: (name) => held.includes(name),
  }).map(({ name }) => name)
}

test('copies without an image, layers without a record and copies inside copies are left over', () => {
  const all = below(layer, `${layer}-work1`, lost, `${lost}-work3`, `${layer}-work1/${layer}`, 'notes')
  expect(found(all)).toEqual([`${layer}-work1/${layer}`, lost, `${lost}-work3`])
})

test('what runs, boots next or is mounted is not', () => {
  expect(found(below(lost, `${lost}-work3`), [`${lost}-work3`])).toEqual([lost])
})

test('subvolumes that a system made inside itself are its own', () => {
  expect(
    found(below(`${layer}-work1`, `${layer}-work1/var/lib/machines`, `${layer}-work1/${layer}/x`)),
  ).toEqual([])
})

test('the inner ones stand first', () => {
  const all = below('x', 'x/a', 'x/a/b/c', 'x/a/b', 'xy/a')
  expect(nestedIn(all, 'x').map(({ name }) => name)).toEqual(['x/a/b/c', 'x/a/b', 'x/a'])
})
