import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@nats-io/transport-node'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Logger } from 'pino'
import { ControllerError } from '../errors.ts'

export type NatsOptions = {
  readonly natsUrl: string
  readonly logger: Logger
  readonly signal: AbortSignal
  /** How long the first connection may take before the start fails; later ones are retried for ever. Default 30 s. */
  readonly firstConnectTimeoutMs?: number
}

const ATTEMPT_TIMEOUT_MS = 5_000
const RECONNECT_DELAY_MAX_MS = 2_000

/**
 * The one connection of the controller. A lost one is re-established for ever, after random delays.
 * @throws ControllerError StoreUnavailable when no server answers within the first bound.
 */
export async function connectNats(options: NatsOptions): Promise<NatsConnection> {
  const { natsUrl, logger, signal, firstConnectTimeoutMs = 30_000 } = options
  const deadlineMs = performance.now() + firstConnectTimeoutMs
  for (;;) {
    signal.throwIfAborted()
    try {
      const connection = await connect({
        servers: natsUrl,
        name: 'bootfleet-controller',
        timeout: ATTEMPT_TIMEOUT_MS,
        maxReconnectAttempts: -1,
        reconnectDelayHandler: () => 100 + Math.random() * RECONNECT_DELAY_MAX_MS,
        ignoreAuthErrorAbort: true,
        pingInterval: 10_000,
      })
      void logStatus(connection, logger)
      return connection
    } catch (cause) {
      if (performance.now() >= deadlineMs) throw unreachable(natsUrl, firstConnectTimeoutMs, cause)
      logger.warn({ nats: withoutCredentials(natsUrl), error: String(cause) }, 'nats not reachable yet')
    }
    await sleep(100 + Math.random() * 1_000, undefined, { signal })
  }
}

function unreachable(natsUrl: string, waitedMs: number, cause: unknown): ControllerError {
  return new ControllerError(
    'StoreUnavailable',
    `connecting to nats at ${withoutCredentials(natsUrl)}: no answer within ${waitedMs / 1000} s; check nats.url and that nats-server runs`,
    { cause },
  )
}

export function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//')
}

async function logStatus(connection: NatsConnection, logger: Logger): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') logger.warn('nats disconnected')
    if (status.type === 'reconnect') logger.info('nats reconnected')
  }
}
