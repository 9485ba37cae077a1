import { createHash } from 'node:crypto'
import type { Facts } from './facts.ts'

/** Names what a person has seen and approved: the facts with the image's digest, and of room whether there is enough. */
export function fingerprintOf({ room, ...facts }: Facts): string {
  const enough = [room.disk, room.boot].map((one) => one === null || one.freeBytes >= one.neededBytes)
  return createHash('sha256')
    .update(JSON.stringify(canonical({ ...facts, enough })))
    .digest('hex')
}

/** Keys in one order, so that the same value is the same text. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, canonical(inner)]))
}
