import type { Selector } from '../desired-state/types.ts'

/** The hosts that a plan divides, as columns: an index is one host. */
export type Population = {
  /** Place in the order of the revision. */
  readonly ranks: Float64Array
  /** 0 until a wave took the host. */
  readonly waves: Uint16Array
  readonly matches: (index: number, selector: Selector) => boolean
}

export function populationOf(ranks: Float64Array, matches: Population['matches']): Population {
  return { ranks, waves: new Uint16Array(ranks.length), matches }
}

/** Hosts looked at between two yields: some milliseconds. */
const hostsAtOnce = 20_000

const binBits = 14
const bins = 1 << binBits
const rankPerBin = 2 ** (53 - binBits)

/**
 * Marks the first `count` hosts of the order that no wave took yet and that the selector matches. Two passes and no
 * sort: the first counts hosts by the leading bits of their rank, so that only those of one bin are compared.
 */
export function* ranksUpTo(
  population: Population,
  take: { readonly count: number; readonly selector: Selector | null; readonly mark: number },
): Generator<undefined, { readonly count: number; readonly lastRank: number | null }> {
  const counts = new Uint32Array(bins)
  const candidates = yield* countByBin(population, take.selector, counts)
  const count = Math.min(take.count, candidates)
  if (count === 0) return { count, lastRank: null }
  const { bin, before } = binOf(counts, count)
  const lastRank = nth(yield* ranksIn(population, take.selector, bin), count - before)
  let marked = 0
  for (let start = 0; start < population.ranks.length; start += hostsAtOnce) {
    marked += mark(population, take, { start, lastRank })
    yield
  }
  return { count: marked, lastRank }
}

type Slice = { readonly start: number; readonly lastRank: number }

function isFree({ matches, waves }: Population, index: number, selector: Selector | null): boolean {
  return waves[index] === 0 && (selector === null || matches(index, selector))
}

function* countByBin(
  population: Population,
  selector: Selector | null,
  counts: Uint32Array,
): Generator<undefined, number> {
  const { ranks } = population
  let candidates = 0
  for (let start = 0; start < ranks.length; start += hostsAtOnce) {
    const end = Math.min(ranks.length, start + hostsAtOnce)
    for (let index = start; index < end; index += 1) {
      if (!isFree(population, index, selector)) continue
      const bin = Math.floor((ranks[index] as number) / rankPerBin)
      counts[bin] = (counts[bin] as number) + 1
      candidates += 1
    }
    yield
  }
  return candidates
}

function binOf(counts: Uint32Array, count: number): { readonly bin: number; readonly before: number } {
  let before = 0
  let bin = 0
  while (before + (counts[bin] as number) < count) before += counts[bin++] as number
  return { bin, before }
}

function* ranksIn(
  population: Population,
  selector: Selector | null,
  bin: number,
): Generator<undefined, readonly number[]> {
  const { ranks } = population
  const first = bin * rankPerBin
  const found: number[] = []
  for (let start = 0; start < ranks.length; start += hostsAtOnce) {
    const end = Math.min(ranks.length, start + hostsAtOnce)
    for (let index = start; index < end; index += 1) {
      const rank = ranks[index] as number
      if (rank >= first && rank < first + rankPerBin && isFree(population, index, selector)) found.push(rank)
    }
    yield
  }
  return found
}

function nth(ranks: readonly number[], place: number): number {
  return ranks.toSorted((a, b) => a - b)[place - 1] as number
}

function mark(
  population: Population,
  take: { readonly selector: Selector | null; readonly mark: number },
  { lastRank, start }: Slice,
): number {
  const { ranks, waves } = population
  const end = Math.min(ranks.length, start + hostsAtOnce)
  let marked = 0
  for (let index = start; index < end; index += 1) {
    if ((ranks[index] as number) > lastRank || !isFree(population, index, take.selector)) continue
    waves[index] = take.mark
    marked += 1
  }
  return marked
}
