import type { Amount } from './types.ts'

/** Bounds every count a user can write, so that products with percentages stay exact integers. */
export const maxCount = 1_000_000

export const percentPattern = /^(?:100|[1-9]?[0-9])%$/

export function parseAmount(value: string | number): Amount | null {
  if (typeof value === 'number') {
    const valid = Number.isInteger(value) && value >= 0 && value <= maxCount
    return valid ? { kind: 'count', count: value } : null
  }
  return percentPattern.test(value) ? { kind: 'percent', percent: Number(value.slice(0, -1)) } : null
}

export function reachesAll(upTo: Amount | undefined): boolean {
  return upTo?.kind === 'percent' && upTo.percent === 100
}

export function formatAmount(amount: Amount): string | number {
  return amount.kind === 'count' ? amount.count : `${amount.percent}%`
}

export type Rounding = 'up-at-least-one' | 'down'

/**
 * How many of `population` an amount allows: never more than there are, never a float.
 * Wave sizes and maxUnavailable round up (a small fleet must be able to move), failure allowances down.
 * A written 0 is none under either rounding.
 */
export function sizeOf(amount: Amount, population: number, rounding: Rounding): number {
  if (amount.kind === 'count') return Math.min(amount.count, population)
  const exact = amount.percent * population
  return Math.floor((rounding === 'down' ? exact : exact + 99) / 100)
}
