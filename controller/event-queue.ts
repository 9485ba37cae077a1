import type { RolloutEvent } from './rollout/events.ts'
import { ControllerError } from './errors.ts'

export type QueuedEvent = { event: RolloutEvent; readonly waiters: Waiter[] }
type Waiter = { readonly resolve: () => void; readonly reject: (error: unknown) => void }

const SIZE_MAX = 100_000
/** Longer timers overflow in Node and fire at once. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1

/**
 * Events in order; a newer state of the same thing takes the place of one that still waits, because only the
 * latest report, connection or commit means anything.
 */
export class EventQueue {
  #items = new Map<string, QueuedEvent>()
  #lastId = 0
  #closedBy: unknown = null
  /** Ends the wait that is under way. */
  #wake: (() => void) | null = null

  /** Resolves when the event, or a newer one that replaced it, is durable. */
  submit(event: RolloutEvent): Promise<void> {
    return new Promise((resolve, reject) => this.#add(event, { resolve, reject }))
  }

  take(): QueuedEvent | null {
    for (const [key, item] of this.#items) {
      this.#items.delete(key)
      return item
    }
    return null
  }

  /** Back to the front: its decision could not be made durable. */
  putBack(item: QueuedEvent): void {
    const key = this.#keyOf(item.event)
    const newer = this.#items.get(key)
    if (newer === undefined) this.#items = new Map([[key, item], ...this.#items])
    else newer.waiters.push(...item.waiters)
  }

  /** Resolves when there is something to take, after `timeoutMs` (null: never), or when `signal` aborts. */
  async wait(timeoutMs: number | null, signal: AbortSignal): Promise<void> {
    if (this.#items.size > 0 || signal.aborted) return
    let timer: NodeJS.Timeout | undefined
    let stop: (() => void) | undefined
    await new Promise<void>((resolve) => {
      stop = resolve
      this.#wake = resolve
      if (timeoutMs !== null) timer = setTimeout(resolve, Math.min(timeoutMs, TIMEOUT_MAX_MS))
      signal.addEventListener('abort', stop, { once: true })
    })
    this.#wake = null
    clearTimeout(timer)
    if (stop !== undefined) signal.removeEventListener('abort', stop)
  }

  /** Rejects what waits and whatever comes later: nobody will take it. */
  close(error: unknown): void {
    this.#closedBy = error
    for (const { waiters } of this.#items.values()) for (const waiter of waiters) waiter.reject(error)
    this.#items.clear()
  }

  #add(event: RolloutEvent, waiter: Waiter): void {
    if (this.#closedBy !== null) return waiter.reject(this.#closedBy)
    const key = this.#keyOf(event)
    const waiting = this.#items.get(key)
    if (waiting !== undefined) {
      waiting.event = event
      waiting.waiters.push(waiter)
    } else if (this.#items.size < SIZE_MAX) {
      this.#items.set(key, { event, waiters: [waiter] })
    } else {
      waiter.reject(
        new ControllerError(
          'StoreUnavailable',
          `taking in an event: ${SIZE_MAX} wait already; try again later`,
        ),
      )
    }
    this.#wake?.()
  }

  #keyOf(event: RolloutEvent): string {
    return sameThing(event) ?? `#${(this.#lastId += 1)}`
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
    case 'promote':
    case 'approve':
    case 'abort':
    case 'rollback':
    case 'retry':
    case 'resumeHost':
    case 'measured':
    case 'deny':
    case 'allow':
    case 'halt':
    case 'unhalt':
      return null
  }
}
