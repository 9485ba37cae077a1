import type { RolloutEvent } from './rollout/types.ts'
import { ControllerError } from './errors.ts'

export type QueuedEvent = { event: RolloutEvent; readonly waiters: Waiter[] }
export type Waiter = { readonly resolve: () => void; readonly reject: (error: unknown) => void }

export type EventQueue = {
  /** Resolves when the event, or a newer one that replaced it, is durable. */
  submit(event: RolloutEvent): Promise<void>
  take(): QueuedEvent | null
  /** Back to the front: its decision could not be made durable. */
  putBack(item: QueuedEvent): void
  /** Resolves when there is something to take, after `timeoutMs` (null: never), or when `signal` aborts. */
  wait(timeoutMs: number | null, signal: AbortSignal): Promise<void>
  rejectAll(error: unknown): void
}

const SIZE_MAX = 100_000
/** Longer timers overflow in Node and fire at once. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1

/**
 * Events in order; a newer state of the same thing takes the place of one that still waits, because only the
 * latest report, connection or commit means anything.
 */
export function createEventQueue(): EventQueue {
  const items = new Map<string, QueuedEvent>()
  let lastId = 0
  let wake: (() => void) | null = null

  function add(event: RolloutEvent, waiter: Waiter): void {
    const key = sameThing(event) ?? `#${(lastId += 1)}`
    const waiting = items.get(key)
    if (waiting === undefined && items.size >= SIZE_MAX) {
      waiter.reject(
        new ControllerError(
          'StoreUnavailable',
          `taking in an event: ${SIZE_MAX} wait already; try again later`,
        ),
      )
      return
    }
    if (waiting === undefined) items.set(key, { event, waiters: [waiter] })
    else {
      waiting.event = event
      waiting.waiters.push(waiter)
    }
    wake?.()
  }

  return {
    submit: (event) => new Promise<void>((resolve, reject) => add(event, { resolve, reject })),
    take() {
      for (const [key, item] of items) {
        items.delete(key)
        return item
      }
      return null
    },
    putBack(item) {
      const key = sameThing(item.event) ?? `#${(lastId += 1)}`
      const newer = items.get(key)
      if (newer !== undefined) {
        newer.waiters.push(...item.waiters)
        return
      }
      const rest = [...items]
      items.clear()
      items.set(key, item)
      for (const [other, waiting] of rest) items.set(other, waiting)
    },
    async wait(timeoutMs, signal) {
      if (items.size > 0 || signal.aborted) return
      await new Promise<void>((resolve) => {
        const timer =
          timeoutMs === null ? undefined : setTimeout(resolve, Math.min(timeoutMs, TIMEOUT_MAX_MS))
        signal.addEventListener('abort', () => resolve(), { once: true })
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      wake = null
    },
    rejectAll(error) {
      for (const { waiters } of items.values()) for (const waiter of waiters) waiter.reject(error)
      items.clear()
    },
  }
}

/** Events with the same key replace each other; null: each counts. */
function sameThing(event: RolloutEvent): string | null {
  switch (event.kind) {
    case 'report':
      return `report/${event.hostId}`
    case 'connection':
      return `connection/${event.hostId}`
    case 'enrolled':
      return `enrolled/${event.enrolment.hostId}`
    case 'wanted':
      return 'wanted'
    case 'timer':
      return 'timer'
    case 'pause':
    case 'resume':
      return null
  }
}
