import { createInbox, headers as createHeaders } from '@nats-io/transport-node'
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import * as z from 'zod'
import { inboxOf } from '../../proto/subjects.ts'
import { ControllerError } from '../errors.ts'

export type Publication = {
  readonly subject: string
  readonly data: Uint8Array
  /** Sequence of the last message on the subject, 0 for none; the write is refused when another came between. */
  readonly expectedSequence: number
}

export type AckWindow = {
  /**
   * Sequences of the stored messages, in the order given. After a failure any of them may be stored.
   * @throws ControllerError StoreConflict, StoreUnavailable.
   */
  publishAll(publications: readonly Publication[], signal: AbortSignal): Promise<readonly number[]>
  close(): void
}

type Waiter = { readonly resolve: (sequence: number) => void; readonly reject: (error: Error) => void }

const ACK_TIMEOUT_MS = 10_000
const WINDOW_SIZE = 256
const WRONG_LAST_SEQUENCE = new Set([10071, 10164])

const Acknowledgement = z.object({
  seq: z.int().optional(),
  error: z.object({ err_code: z.int().default(0), description: z.string().default('') }).optional(),
})

/** Publishing through one shared inbox costs a tenth of a request per message; at most a window is unanswered. */
export function openAckWindow(connection: NatsConnection, ackTimeoutMs = ACK_TIMEOUT_MS): AckWindow {
  const inbox = createInbox(inboxOf('controller'))
  const waiters = new Map<string, Waiter>()
  const state = { lastId: 0, connected: true }
  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      const id = message.subject.slice(inbox.length + 1)
      const waiter = waiters.get(id)
      waiters.delete(id)
      if (waiter !== undefined) settle(waiter, error, message)
    },
  })
  void followConnection(connection, state, waiters)

  async function publishOne({ subject, data, expectedSequence }: Publication): Promise<number> {
    // The client would keep it in a buffer and send it at some later time, when nobody waits for it.
    if (!state.connected) throw disconnected()
    const id = String((state.lastId += 1))
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<number>((resolve, reject) => {
        timer = setTimeout(() => reject(unanswered(subject, ackTimeoutMs)), ackTimeoutMs)
        waiters.set(id, { resolve, reject })
        const headers = createHeaders()
        headers.set('Nats-Expected-Last-Subject-Sequence', String(expectedSequence))
        connection.publish(subject, data, { reply: `${inbox}.${id}`, headers })
      })
    } catch (cause) {
      if (cause instanceof ControllerError) throw cause
      throw new ControllerError('StoreUnavailable', `writing ${subject}: ${String(cause)}`, { cause })
    } finally {
      clearTimeout(timer)
      waiters.delete(id)
    }
  }

  return {
    async publishAll(publications, signal) {
      const sequences: number[] = []
      await inWindow({ items: publications, size: WINDOW_SIZE }, async (publication, index) => {
        signal.throwIfAborted()
        sequences[index] = await publishOne(publication)
      })
      return sequences
    },
    close: () => subscription.unsubscribe(),
  }
}

/** What was in flight when the connection broke is never answered; waiting it out would only delay the repair. */
async function followConnection(
  connection: NatsConnection,
  state: { connected: boolean },
  waiters: Map<string, Waiter>,
): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === 'reconnect') state.connected = true
    if (type !== 'disconnect' && type !== 'close') continue
    state.connected = false
    const lost = [...waiters.values()]
    waiters.clear()
    for (const waiter of lost) waiter.reject(disconnected())
  }
}

/** Starts no further item after a failure, and rejects with it once all that were started have ended. */
export async function inWindow<Item>(
  { items, size }: { readonly items: readonly Item[]; readonly size: number },
  task: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  // Lanes share one iterator, so each item is taken once and no more than a window is under way.
  const rest = items.entries()
  let failed = false
  const lane = async (): Promise<void> => {
    try {
      for (const [index, item] of rest) {
        if (failed) return
        await task(item, index)
      }
    } catch (error) {
      failed = true
      throw error
    }
  }
  const lanes = Array.from({ length: Math.min(size, items.length) }, lane)
  const broken = (await Promise.allSettled(lanes)).find((result) => result.status === 'rejected')
  if (broken !== undefined) throw broken.reason
}

function settle(waiter: Waiter, error: Error | null, message: Msg): void {
  if (error !== null) {
    waiter.reject(
      new ControllerError('StoreUnavailable', `writing to jetstream: ${error.message}`, { cause: error }),
    )
    return
  }
  if (message.headers?.code === 503) {
    waiter.reject(
      new ControllerError(
        'StoreUnavailable',
        'writing to jetstream: no stream takes the subject or jetstream is down',
      ),
    )
    return
  }
  const parsed = Acknowledgement.safeParse(message.json())
  const { seq, error: refusal } = parsed.data ?? {}
  if (seq !== undefined && refusal === undefined) return waiter.resolve(seq)
  const conflict = WRONG_LAST_SEQUENCE.has(refusal?.err_code ?? 0)
  waiter.reject(
    new ControllerError(
      conflict ? 'StoreConflict' : 'StoreUnavailable',
      `writing to jetstream: ${refusal?.description ?? 'an answer that is no acknowledgement'}`,
    ),
  )
}

function disconnected(): ControllerError {
  return new ControllerError(
    'StoreUnavailable',
    'writing to jetstream: the connection to nats is lost; it is retried',
  )
}

function unanswered(subject: string, timeoutMs: number): ControllerError {
  return new ControllerError(
    'StoreUnavailable',
    `writing ${subject}: nats did not acknowledge within ${timeoutMs / 1000} s`,
  )
}
