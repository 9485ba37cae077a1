import { connect, jwtAuthenticator } from '@nats-io/transport-node'
import type { NatsConnection } from '@nats-io/transport-node'
import { natsTls } from '../../proto/nats-tls.ts'
import type { TlsCredentials } from '../../proto/nats-tls.ts'
import { inboxOf } from '../../proto/subjects.ts'
import { backoffMs } from '../update/backoff.ts'

const RECONNECT = { baseMs: 400, maxMs: 30_000 }

export type NatsOptions = {
  readonly url: string
  readonly hostId: string
  /** Asked for at every connection: the server closes one when its user ends, and the next needs its successor. */
  readonly user: { readonly jwt: () => string; readonly seed: Uint8Array }
  readonly credentials: () => TlsCredentials
}

/** A connection that comes back for ever, each time after a delay of its own; resolves once connected. */
export async function openNatsConnection(options: NatsOptions): Promise<NatsConnection> {
  const { url, hostId, user, credentials } = options
  let failures = 0
  const connection = await connect({
    servers: url,
    name: `agent ${hostId}`,
    authenticator: jwtAuthenticator(
      () => user.jwt(),
      () => user.seed,
    ),
    tls: natsTls(credentials),
    // The only place where this host may hear answers.
    inboxPrefix: inboxOf(hostId),
    ignoreClusterUpdates: true,
    reconnect: true,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    timeout: 10_000,
    pingInterval: 20_000,
    maxPingOut: 2,
    reconnectDelayHandler: () => {
      failures += 1
      return backoffMs(failures, Math.random(), RECONNECT)
    },
  })
  void (async () => {
    for await (const status of connection.status()) if (status.type === 'reconnect') failures = 0
  })()
  failures = 0
  return connection
}

/** Without the password or token that may stand in it. */
export function shownAddress(url: string): string {
  return url.replaceAll(/(^|\/\/)[^/@]*@/g, '$1')
}
