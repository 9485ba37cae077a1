import { setTimeout as sleep } from 'node:timers/promises'
import { connect, jwtAuthenticator } from '@nats-io/transport-node'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Logger } from 'pino'
import { natsTls } from '../../proto/nats-tls.ts'
import type { TlsCredentials } from '../../proto/nats-tls.ts'
import { inboxOf } from '../../proto/subjects.ts'
import { ControllerError } from '../errors.ts'

type User = { readonly jwt: string; readonly seed: Uint8Array }

export type NatsOptions = {
  readonly natsUrl: string
  /** Whose connection it is, and what makes its next user: one lasts a day. */
  readonly identity: {
    readonly role: string
    readonly account: string
    readonly mint: () => Promise<User>
  }
  readonly credentials: () => TlsCredentials
  readonly logger: Logger
  readonly signal: AbortSignal
  /** How long the first connection may take before the start fails; later ones are retried for ever. Default 30 s. */
  readonly firstConnectTimeoutMs?: number
  /** Attempts to connect may come more often than a fresh user is needed. Default: 1 minute. */
  readonly userFreshMs?: number
}

const ATTEMPT_TIMEOUT_MS = 5_000
const RECONNECT_DELAY_MIN_MS = 100
const RECONNECT_DELAY_MAX_MS = 2_000
const USER_FRESH_MS = 60_000

/**
 * The one connection of the controller. A lost one is re-established for ever, after random delays.
 * @throws ControllerError StoreUnavailable when no server answers within the first bound.
 */
export async function connectNats(options: NatsOptions): Promise<NatsConnection> {
  const { natsUrl, logger, signal, identity, firstConnectTimeoutMs = 30_000 } = options
  const deadlineMs = performance.now() + firstConnectTimeoutMs
  for (;;) {
    signal.throwIfAborted()
    const user = { current: await identity.mint() }
    try {
      const connection = await connect({
        servers: natsUrl,
        name: `bootfleet-${identity.role}`,
        authenticator: jwtAuthenticator(
          () => user.current.jwt,
          () => user.current.seed,
        ),
        tls: natsTls(options.credentials),
        inboxPrefix: inboxOf(identity.role),
        ignoreClusterUpdates: true,
        timeout: ATTEMPT_TIMEOUT_MS,
        maxReconnectAttempts: -1,
        reconnectDelayHandler: () => RECONNECT_DELAY_MIN_MS + Math.random() * RECONNECT_DELAY_MAX_MS,
        ignoreAuthErrorAbort: true,
        pingInterval: 10_000,
      })
      void follow(connection, { ...options, user })
      return connection
    } catch (cause) {
      if (performance.now() >= deadlineMs) throw unreachable(natsUrl, firstConnectTimeoutMs, cause)
      logger.warn({ nats: withoutCredentials(natsUrl), error: String(cause) }, 'nats not reachable yet')
    }
    await sleep(100 + Math.random() * 1_000, undefined, { signal })
  }
}

function unreachable(natsUrl: string, waitedMs: number, cause: unknown): ControllerError {
  const found = cause instanceof Error && cause.message !== '' ? cause.message : 'no answer'
  return new ControllerError(
    'StoreUnavailable',
    `connecting to nats at ${withoutCredentials(natsUrl)} for ${waitedMs / 1000} s: ${found}; check nats.url, and that nats-server runs with the configuration and certificates in the folder "nats" of the same bootfleet trust init as pki.dir`,
    { cause },
  )
}

export function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//')
}

/** The server closes a connection when its user ends, so a lost one comes back with a user of its own. */
async function follow(
  connection: NatsConnection,
  { logger, identity, user, userFreshMs = USER_FRESH_MS }: NatsOptions & { readonly user: { current: User } },
): Promise<void> {
  let mintedAtMs = performance.now()
  for await (const { type } of connection.status()) {
    if (type === 'disconnect') logger.warn('nats disconnected')
    if (type === 'reconnect') logger.info('nats reconnected')
    const isAway = type === 'disconnect' || type === 'reconnecting'
    if (!isAway || performance.now() - mintedAtMs < userFreshMs) continue
    mintedAtMs = performance.now()
    user.current = await identity.mint()
  }
}
