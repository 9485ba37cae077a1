import { createInbox, headers as createHeaders } from '@nats-io/transport-node'
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import * as z from 'zod'
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
  const inbox = createInbox()
  const waiters = new Map<string, Waiter>()
  let lastId = 0
  let connected = true
  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      const id = message.subject.slice(inbox.length + 1)
      const waiter = waiters.get(id)
      waiters.delete(id)
      if (waiter !== undefined) settle(waiter, error, message)
    },
  })

  // What was in flight when the connection broke is never answered; waiting it out would only delay the repair.
  async function followConnection(): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'reconnect') connected = true
      if (type !== 'disconnect' && type !== 'close') continue
      connected = false
      const lost = [...waiters.values()]
      waiters.clear()
      for (const waiter of lost) waiter.reject(disconnected())
    }
  }
  void followConnection()

  function publishOne(publication: Publication): Promise<number> {
    // The client would keep it in a buffer and send it at some later time, when nobody waits for it.
    if (!connected) return Promise.reject(disconnected())
    const id = String((lastId += 1))
    return new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiters.delete(id)
        reject(unanswered(publication.subject, ackTimeoutMs))
      }, ackTimeoutMs)
      const done = (): void => clearTimeout(timer)
      waiters.set(id, {
        resolve: (sequence) => (done(), resolve(sequence)),
        reject: (error) => (done(), reject(error)),
      })
      const headers = createHeaders()
      headers.set('Nats-Expected-Last-Subject-Sequence', String(publication.expectedSequence))
      try {
        connection.publish(publication.subject, publication.data, { reply: `${inbox}.${id}`, headers })
      } catch (cause) {
        done()
        waiters.delete(id)
        reject(
          new ControllerError('StoreUnavailable', `writing ${publication.subject}: ${String(cause)}`, {
            cause,
          }),
        )
      }
    })
  }

  async function publishAll(
    publications: readonly Publication[],
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const sequences: number[] = []
    const rest = publications.entries()
    let failed = false
    const lane = async (): Promise<void> => {
      // Lanes share one iterator, so each publication is taken once and no more than a window is unanswered.
      for (const [index, publication] of rest) {
        if (failed) return
        signal.throwIfAborted()
        sequences[index] = await publishOne(publication)
      }
    }
    const lanes = Array.from({ length: Math.min(WINDOW_SIZE, publications.length) }, () =>
      lane().catch((error: unknown) => {
        failed = true
        throw error
      }),
    )
    const broken = (await Promise.allSettled(lanes)).find((result) => result.status === 'rejected')
    if (broken !== undefined) throw broken.reason
    return sequences
  }

  return { publishAll, close: () => subscription.unsubscribe() }
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
