export type PollSchedule = { readonly intervalMs: number; readonly maxBackoffMs: number }

export type PollHistory = {
  readonly failuresInARow: number
  /** What the peer asked for; waited out in full even when it is longer than the back-off. */
  readonly retryAfterMs?: number | undefined
}

/**
 * How long to wait before the next poll. After failures: full jitter, anywhere between nothing and a ceiling
 * that doubles, so that many controllers do not come back to a recovering server together.
 * `random` is in [0, 1).
 */
export function nextPollDelayMs(schedule: PollSchedule, history: PollHistory, random: number): number {
  if (history.failuresInARow === 0) return schedule.intervalMs
  const doublings = Math.min(history.failuresInARow - 1, 30)
  const ceilingMs = Math.min(schedule.maxBackoffMs, schedule.intervalMs * 2 ** doublings)
  return Math.max(Math.floor(ceilingMs * random), history.retryAfterMs ?? 0)
}
