import { setTimeout as delay } from 'node:timers/promises'
import type { Event, ResultEvent } from './update/types.ts'

export type Mail =
  | { readonly kind: 'result'; readonly event: ResultEvent }
  | { readonly kind: 'plan'; readonly bytes: Uint8Array }
  | { readonly kind: 'looked'; readonly event: LookedEvent }
  | { readonly kind: 'timer' }

export type LookedEvent = Extract<Event, { kind: 'looked' }>

export type Mailbox = {
  /** There is at most one operation, so there is at most one result. */
  putResult(event: ResultEvent): void
  /**
   * Unread plans wait in the order they came: a plan that was published just now can overtake the answer that
   * still carries the one before it, so the last to arrive need not be the newest, and only `accept()` can tell.
   * Of more than {@link PLANS_MAX} the oldest to arrive is dropped.
   */
  putPlan(bytes: Uint8Array): void
  /** Only the last look counts. */
  putLook(event: LookedEvent): void
  /** Next mail, results first; `timer` at `wakeAtMs` (wall clock) when nothing else came; null when `signal` fires. */
  next(wakeAtMs: number | null, signal: AbortSignal): Promise<Mail | null>
}

/** No wait is longer, so that a clock that was set is noticed. */
const WAIT_MAX_MS = 60_000
const PLANS_MAX = 8

export function openMailbox(): Mailbox {
  const results: ResultEvent[] = []
  const plans: Uint8Array[] = []
  let look: LookedEvent | null = null
  let arrived = new AbortController()
  const take = (): Mail | null => {
    const event = results.shift()
    if (event !== undefined) return { kind: 'result', event }
    if (look !== null) {
      const looked = look
      look = null
      return { kind: 'looked', event: looked }
    }
    const bytes = plans.shift()
    return bytes === undefined ? null : { kind: 'plan', bytes }
  }
  return {
    putResult: (event) => {
      results.push(event)
      arrived.abort()
    },
    putPlan: (bytes) => {
      plans.push(bytes)
      if (plans.length > PLANS_MAX) plans.shift()
      arrived.abort()
    },
    putLook: (event) => {
      look = event
      arrived.abort()
    },
    next: async (wakeAtMs, signal) => {
      while (!signal.aborted) {
        const mail = take()
        if (mail !== null) return mail
        const untilWakeMs = wakeAtMs === null ? WAIT_MAX_MS : wakeAtMs - Date.now()
        if (untilWakeMs <= 0) return { kind: 'timer' }
        arrived = new AbortController()
        const waiting = AbortSignal.any([signal, arrived.signal])
        await delay(Math.min(untilWakeMs, WAIT_MAX_MS), undefined, { signal: waiting }).catch(() => {})
      }
      return null
    },
  }
}
