import { atTime, emptyPicture, outOfTouch, withStatus } from '../../../proto/picture/picture.ts'
import type { Picture } from '../../../proto/picture/picture.ts'
import type { Place } from './place.ts'
import type { Reading } from './wire.ts'

export type Model = Picture & {
  readonly place: Place
  /** Of this place; null before the first. */
  readonly reading: Reading | null
}

export type Message =
  | { readonly kind: 'went'; readonly place: Place }
  | { readonly kind: 'read'; readonly place: Place; readonly reading: Reading; readonly atMs: number }
  | { readonly kind: 'lost'; readonly why: string; readonly atMs: number }
  | { readonly kind: 'clock'; readonly nowMs: number }

export function beginModel(place: Place, nowMs: number): Model {
  return { ...emptyPicture(nowMs), place, reading: null }
}

export function step(model: Model, message: Message): Model {
  switch (message.kind) {
    case 'went':
      return beginModel(message.place, model.nowMs)
    case 'read': {
      // What is late is of a place that was left.
      if (message.place !== model.place) return model
      const { reading } = message
      return { ...withStatus(atTime(model, message.atMs), reading.status), reading }
    }
    case 'lost':
      return outOfTouch(atTime(model, message.atMs), message.why)
    case 'clock':
      return atTime(model, message.nowMs)
  }
}
