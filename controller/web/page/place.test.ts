import { expect, it } from 'vitest'
import { hashOf, placeOfHash, placeOfQuery, queryOf } from './place.ts'
import type { Place } from './place.ts'

const places: readonly Place[] = [
  { kind: 'wall' },
  { kind: 'fleet', fleet: 'edge' },
  { kind: 'host', host: 'till-17.shop' },
]

it.each(places)('a place is found again in the address, and asked for by the query: $kind', (place) => {
  expect(placeOfHash(hashOf(place))).toEqual(place)
  expect(placeOfQuery(Object.fromEntries(new URLSearchParams(queryOf(place))))).toEqual(place)
})

it.each(['', '#', '#/', '#/else/x', '#/fleet', '#/fleet/', '#/fleet/a/b', '#/host/%2e', '#/host/a&b=c'])(
  'an address that is none leads to the wall: "%s"',
  (hash) => expect(placeOfHash(hash)).toEqual({ kind: 'wall' }),
)

it.each([
  { fleet: '' },
  { fleet: 'a', host: 'b' },
  { else: 'a' },
  { host: '../x' },
  { host: 'a'.repeat(64) },
])('what the page would not ask for is no place: %o', (query) => expect(placeOfQuery(query)).toBeNull())
