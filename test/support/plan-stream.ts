import type { NatsConnection } from '@nats-io/transport-node'
import type { NatsUserFor } from '../../controller/pki/nats-keys.ts'
import { connectNats } from '../../controller/store/nats.ts'
import { pino } from 'pino'
import { startNatsServer } from './nats-server.ts'
import { controllerOf, hostUsersOf } from './nats-users.ts'

export type TestNats = {
  readonly url: string
  /** The controller's. */
  readonly connection: NatsConnection
  /** Makes the users of hosts. */
  readonly userFor: NatsUserFor
  readonly trustDir: string
  readonly kill: () => Promise<void>
  /** After {@link TestNats.kill}. */
  readonly restart: () => Promise<void>
  readonly reload: () => void
  readonly provision: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A real nats-server that hosts of this authority can use, for agents without a controller. */
export async function openTestNats(authority: {
  readonly files: { readonly certificate: string; readonly key: string }
}): Promise<TestNats> {
  const server = await startNatsServer({ importCa: authority.files })
  const logger = pino({ level: 'silent' })
  const { signal } = new AbortController()
  const connection = await connectNats({ ...(await controllerOf(server)), logger, signal })
  return {
    url: server.url,
    connection,
    userFor: await hostUsersOf(server.trustDir),
    trustDir: server.trustDir,
    kill: () => server.kill9(),
    restart: () => server.restart(),
    reload: () => server.reload(),
    provision: () => server.provision(),
    close: async () => {
      await connection.close()
      await server.stop()
    },
  }
}
