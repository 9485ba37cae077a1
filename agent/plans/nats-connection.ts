import { connect } from '@nats-io/transport-node'
import type { NatsConnection } from '@nats-io/transport-node'
import { backoffMs } from '../update/backoff.ts'

const RECONNECT = { baseMs: 400, maxMs: 30_000 }

export type NatsOptions = { readonly url: string; readonly name: string }

/** A connection that comes back for ever, each time after a delay of its own; resolves once connected. */
export async function openNatsConnection({ url, name }: NatsOptions): Promise<NatsConnection> {
  let failures = 0
  const connection = await connect({
    servers: url,
    name,
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
