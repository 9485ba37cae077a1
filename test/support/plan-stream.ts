import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { NatsConnection } from '@nats-io/transport-node'
import { PLAN_STREAM, PLAN_SUBJECTS } from '../../proto/subjects.ts'
import { startNatsServer } from './nats-server.ts'

export type TestNats = {
  readonly url: string
  readonly connection: NatsConnection
  readonly kill: () => Promise<void>
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A real nats-server with the plan stream, for agents without a controller. */
export async function openTestNats(): Promise<TestNats> {
  const server = await startNatsServer()
  const connection = await connect({
    servers: server.url,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  })
  const manager = await jetstreamManager(connection)
  await manager.streams.add({
    name: PLAN_STREAM,
    subjects: [PLAN_SUBJECTS],
    max_msgs_per_subject: 1,
    allow_direct: true,
  })
  return {
    url: server.url,
    connection,
    kill: () => server.kill9(),
    start: () => server.restart(),
    close: async () => {
      await connection.close()
      await server.stop()
    },
  }
}
