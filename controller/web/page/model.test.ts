import { expect, it } from 'vitest'
import { staleSince } from '../../../proto/picture/picture.ts'
import { normalStatus, nowMs } from '../../../test/support/dashboard.ts'
import { readingOf } from '../../../test/support/web-page.ts'
import { beginModel, step } from './model.ts'
import type { Message, Model } from './model.ts'
import type { Place } from './place.ts'

const wall: Place = { kind: 'wall' }
const edge: Place = { kind: 'fleet', fleet: 'edge' }
const readAt = (place: Place, atMs: number): Message => ({
  kind: 'read',
  place,
  reading: readingOf(normalStatus(), place),
  atMs,
})
const after = (...messages: readonly Message[]): Model => messages.reduce(step, beginModel(wall, nowMs))

it('a reading takes the place of the one before and is current for 15 seconds', () => {
  const model = after(readAt(wall, nowMs + 1_000))
  expect([model.reading?.operator, model.seenAtMs, staleSince(model)]).toEqual(['kim', nowMs + 1_000, null])
  expect(staleSince(step(model, { kind: 'clock', nowMs: nowMs + 16_000 }))).toBeNull()
  expect(staleSince(step(model, { kind: 'clock', nowMs: nowMs + 16_001 }))).toBe(nowMs + 1_000)
})

it('a lost connection keeps the picture and says since when it is old, until the next reading', () => {
  const lost = after(readAt(wall, nowMs), { kind: 'lost', why: 'gone', atMs: nowMs + 2_000 })
  expect([lost.reading === null, lost.lost, staleSince(lost)]).toEqual([false, 'gone', nowMs])
  expect(staleSince(step(lost, readAt(wall, nowMs + 3_000)))).toBeNull()
})

it('another place begins with nothing, and what comes late of the last one is passed over', () => {
  const went = after(readAt(wall, nowMs), { kind: 'went', place: edge })
  expect([went.reading, went.seenAtMs]).toEqual([null, 0])
  expect(step(went, readAt(wall, nowMs + 1_000))).toEqual(went)
  expect(step(went, readAt(edge, nowMs + 1_000)).reading?.hosts).toHaveLength(4)
})
