import { setTimeout as delay } from 'node:timers/promises'
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import type { Logger } from 'pino'
import { PLAN_STREAM, planSubject } from '../../proto/subjects.ts'
import { backoffMs } from '../update/backoff.ts'

export type SubscriberOptions = {
  readonly connection: NatsConnection
  readonly hostId: string
  /** Unverified bytes, possibly seen before. */
  readonly onPlan: (bytes: Uint8Array) => void
  readonly log: Logger
  readonly signal: AbortSignal
  /** Between two looks at the stream while nothing happens. Default: 3 minutes. */
  readonly refreshMs?: number
}

const REFRESH_MS = 3 * 60 * 1000
/**
 * A busy server has taken a plan before it is in the stream: whoever subscribes in between is told nothing by either.
 * So after a (re)connect the stream is looked at again, so long after each other.
 */
const SETTLING_MS: readonly number[] = [2_000, 10_000]
const GET_TIMEOUT_MS = 10_000
const RETRY = { baseMs: 1_000, maxMs: 60_000 }

/**
 * Deliver this host's plans until `signal` fires or the connection is closed for good: a plain subscription first, so
 * that nothing published from here on is missed, then direct gets of what stands in the stream, at every (re)connect,
 * soon after it, and now and then.
 */
export async function subscribePlans(options: SubscriberOptions): Promise<void> {
  const { connection, hostId, onPlan, signal } = options
  const subscription = connection.subscribe(planSubject(hostId), {
    callback: (error, message) => {
      if (error === null) onPlan(message.data)
    },
  })
  const wakes = watchReconnects(connection, signal)
  try {
    for (let looks = 0; !signal.aborted && !connection.isClosed(); looks += 1) {
      await fetchUntilDone(options)
      const waitMs = options.refreshMs ?? SETTLING_MS[looks] ?? REFRESH_MS
      if ((await wakes.wait(waitMs * (0.5 + Math.random()))) === 'reconnected') looks = -1
    }
  } finally {
    subscription.unsubscribe()
  }
}

async function fetchUntilDone(options: SubscriberOptions): Promise<void> {
  const { signal, log, connection } = options
  for (let failures = 1; !signal.aborted && !connection.isClosed(); failures += 1) {
    try {
      await fetchPlan(options)
      return
    } catch (error) {
      log.debug({ err: error }, 'getting the plan failed')
      const waitMs = backoffMs(failures, Math.random(), RETRY)
      await delay(waitMs, undefined, { signal }).catch(() => {})
    }
  }
}

async function fetchPlan({ connection, hostId, onPlan }: SubscriberOptions): Promise<void> {
  const subject = `$JS.API.DIRECT.GET.${PLAN_STREAM}.${planSubject(hostId)}`
  const reply = await connection.request(subject, new Uint8Array(), { timeout: GET_TIMEOUT_MS })
  const status = reply.headers?.code ?? 0
  // 404: no plan was ever published for this host.
  if (status === 404) return
  if (status !== 0) throw new Error(`direct get of ${planSubject(hostId)}: ${describe(reply, status)}`)
  onPlan(reply.data)
}

function describe(reply: Msg, status: number): string {
  return `status ${status} ${reply.headers?.description ?? ''}`.trim()
}

type Wakes = { readonly wait: (timeoutMs: number) => Promise<'waited' | 'reconnected'> }

function watchReconnects(connection: NatsConnection, signal: AbortSignal): Wakes {
  let reconnected = new AbortController()
  const statuses = connection.status()[Symbol.asyncIterator]()
  // A shared connection outlives us, and would go on collecting for nobody.
  signal.addEventListener('abort', () => void statuses.return?.(), { once: true })
  void (async () => {
    for (let next = await statuses.next(); next.done !== true; next = await statuses.next()) {
      if (next.value.type === 'reconnect') reconnected.abort()
    }
  })()
  void connection.closed().then(() => reconnected.abort())
  return {
    wait: async (timeoutMs) => {
      const waiting = AbortSignal.any([signal, reconnected.signal])
      await delay(timeoutMs, undefined, { signal: waiting }).catch(() => {})
      if (!reconnected.signal.aborted) return 'waited'
      reconnected = new AbortController()
      return 'reconnected'
    },
  }
}
