import { luckOf } from './random.ts'

/** True for this share of all names; always the same for the same name. */
export function isLucky(rate: number, ...name: readonly (string | number)[]): boolean {
  return rate >= 1 || (rate > 0 && luckOf(...name) < rate)
}
