/** Bounds of an exponential back-off with full jitter. */
export type Backoff = { readonly baseMs: number; readonly maxMs: number }

/**
 * Delay before the retry that follows failure number `failures` (from 1): somewhere below the doubled base, so
 * that a fleet that failed together does not return together. `random` is in [0, 1).
 */
export function backoffMs(failures: number, random: number, { baseMs, maxMs }: Backoff): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30))
  return Math.round(baseMs / 2 + random * (ceilingMs - baseMs / 2))
}
