import type { Entry } from './write-log.ts'

/** Seeded, so that a failure can be looked at again. */
export type Chance = () => number

export function chanceFrom(seed: number): Chance {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The power goes when `count` entries of the log have completed. */
export type Point = { count: number; why: 'flush' | 'flushed' | 'fua' | 'random' }

/**
 * The moments that decide: before each flush, when nothing since the last one need be on the disk; after it; after
 * each write past the cache. Between them others by chance, until there are enough.
 */
export function choosePoints(entries: readonly Entry[], pointsMin: number, chance: Chance): readonly Point[] {
  const points: Point[] = entries.flatMap((entry, index): Point[] => {
    if (entry.kind === 'flush') {
      return [
        { count: index, why: 'flush' },
        { count: index + 1, why: 'flushed' },
      ]
    }
    return entry.fua ? [{ count: index + 1, why: 'fua' }] : []
  })
  while (points.length < pointsMin)
    points.push({ count: Math.floor(chance() * (entries.length + 1)), why: 'random' })
  return points.toSorted((a, b) => a.count - b.count)
}

/** A piece of a logged write that is on the disk after the power cut. */
export type Piece = { entry: Entry; from: number; length: number }

const pageBytes = 4096

/** What the disk has of the entries that no flush has covered: each of them or not, and of each any of its pages. */
export function chooseSurvivors(undecided: readonly Entry[], chance: Chance): readonly Piece[] {
  // From nothing but what must be there to nearly all of it.
  const share = chance()
  return undecided.flatMap((entry): Piece[] => {
    if (entry.kind !== 'write' && entry.kind !== 'discard') return []
    const whole = { entry, from: 0, length: entry.length }
    if (entry.fua || chance() < share) return [whole]
    return entry.kind === 'write' && chance() < 0.5 ? tear(entry, chance) : []
  })
}

function tear(entry: Entry, chance: Chance): Piece[] {
  const pieces: Piece[] = []
  for (let from = 0; from < entry.length; from += pageBytes) {
    if (chance() < 0.5) pieces.push({ entry, from, length: Math.min(pageBytes, entry.length - from) })
  }
  return pieces
}
