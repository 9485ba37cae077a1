/** Wall clock for expiries; elapsed = monotonic time since the last call, 0 after a start, for soak and deadlines. */
export type Now = { readonly wallMs: number; readonly elapsedMs: number }
