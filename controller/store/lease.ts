import * as z from 'zod'

/** `holder` null: released on purpose, free at once. */
export const LeaseRecord = z.object({
  holder: z.string().nullable(),
  term: z.int().nonnegative(),
  renewedAt: z.string(),
})
export type LeaseRecord = z.infer<typeof LeaseRecord>

export type SeenLease = { readonly record: LeaseRecord; readonly revision: number }

export type LeaseTimings = {
  readonly renewEveryMs: number
  /** Without a renewal for this long the holder stops itself: before another may take. */
  readonly stopAfterMs: number
  /** Another takes after the value stayed unchanged for this long. */
  readonly takeAfterMs: number
  readonly observeEveryMs: number
}

export const LEASE_TIMINGS: LeaseTimings = {
  renewEveryMs: 5_000,
  stopAfterMs: 10_000,
  takeAfterMs: 15_000,
  observeEveryMs: 1_000,
}

export type LeaseDecision =
  | { readonly kind: 'take'; readonly term: number; readonly expectedRevision: number }
  | { readonly kind: 'wait' }

/**
 * Never compares clocks of two machines: only how long, on our monotonic clock, the value stayed what it is.
 * Our own lease is retaken at once: the holder id lives in the state directory, so its last writer was an earlier
 * process on this directory. Should that one still run, its next renewal fails on compare-and-swap, its writes
 * conflict with ours, and hosts refuse its older term.
 */
export function decideLease(input: {
  readonly seen: SeenLease | null
  readonly holder: string
  readonly unchangedForMs: number
  readonly takeAfterMs: number
  /** Highest term known from elsewhere: a wiped store must not begin anew at one. */
  readonly termFloor: number
}): LeaseDecision {
  const { seen, holder, unchangedForMs, takeAfterMs, termFloor } = input
  if (seen === null) return { kind: 'take', term: termFloor + 1, expectedRevision: 0 }
  const free = seen.record.holder === null || seen.record.holder === holder
  if (!free && unchangedForMs < takeAfterMs) return { kind: 'wait' }
  return { kind: 'take', term: Math.max(seen.record.term, termFloor) + 1, expectedRevision: seen.revision }
}
