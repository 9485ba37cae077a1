import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { createUser, fromSeed } from '@nats-io/nkeys'
import type { KeyPair } from '@nats-io/nkeys'
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { pino } from 'pino'
import type { NatsUserFor } from '../../controller/pki/nats-keys.ts'
import { connectNats } from '../../controller/store/nats.ts'
import type { TlsCredentials } from '../../proto/nats-tls.ts'
import { inboxOf, planSubject } from '../../proto/subjects.ts'
import { readAccountIds, signAccounts } from '../../trust/nats-accounts.ts'
import { parseSigner } from '../../trust/nats-keys.ts'
import type { NatsSigner } from '../../trust/nats-keys.ts'
import { accountsConfig, parseAccountsConfig } from '../../trust/nats-server-config.ts'
import { startNatsServer } from './nats-server.ts'
import type { NatsServer, NatsServerOptions } from './nats-server.ts'
import { connectAs, controllerOf, hostUsersOf } from './nats-users.ts'

type User = { readonly jwt: string; readonly seed: Uint8Array }
type HostOptions = ConnectionOptions & { readonly nowMs?: number; readonly credentials?: TlsCredentials }

/** A server with its controller, and clients that do what they please. */
export type NatsBench = {
  readonly server: NatsServer
  readonly controller: NatsConnection
  readonly userFor: NatsUserFor
  /** A host that was enrolled at `nowMs`. */
  connectHost(hostId: string, options?: HostOptions): Promise<NatsConnection>
  connect(user: User, options?: HostOptions): Promise<NatsConnection>
  /** What the server refused this client so far. */
  violations(connection: NatsConnection): readonly string[]
  /** Fills with what comes. */
  listen(connection: NatsConnection, subject: string): readonly string[]
  publish(hostId: string, text: string): Promise<void>
  lastSequence(): Promise<number>
  controllerSigner(): Promise<NatsSigner>
  /** Gives the hosts an account whose own key is known, which it is to nobody else. */
  moveHostsTo(account: KeyPair): Promise<NatsSigner>
  closeHosts(): Promise<void>
  close(): Promise<void>
}

export async function openNatsBench(options: NatsServerOptions = {}): Promise<NatsBench> {
  const server = await startNatsServer(options)
  const userFor = await hostUsersOf(server.trustDir)
  const logger = pino({ level: 'silent' })
  const { signal } = new AbortController()
  const controller = await connectNats({ ...(await controllerOf(server)), logger, signal })
  const refused = new WeakMap<NatsConnection, string[]>()
  const open: NatsConnection[] = []

  async function connect(user: User, options: HostOptions = {}): Promise<NatsConnection> {
    const connection = await connectAs(server, user, { maxReconnectAttempts: 0, ...options })
    open.push(connection)
    const errors: string[] = []
    refused.set(connection, errors)
    void (async () => {
      for await (const status of connection.status())
        if (status.type === 'error') errors.push(status.error.message)
    })()
    return connection
  }

  async function signerOf(file: string): Promise<NatsSigner> {
    const path = join(server.trustDir, 'controller', file)
    return parseSigner(await readFile(path, 'utf8'), path)
  }

  async function lastSequence(): Promise<number> {
    const manager = await jetstreamManager(controller, { checkAPI: false })
    return (await manager.streams.info('PLAN')).state.last_seq
  }

  return {
    server,
    controller,
    userFor,
    connect,
    async connectHost(hostId, { nowMs = Date.now(), ...options } = {}) {
      const key = createUser()
      const jwt = await userFor(hostId, key.getPublicKey(), nowMs)
      return connect({ jwt, seed: key.getSeed() }, { inboxPrefix: inboxOf(hostId), ...options })
    },
    violations: (connection) => refused.get(connection) ?? [],
    listen(connection, subject) {
      const seen: string[] = []
      connection.subscribe(subject, { callback: (_, message) => void seen.push(message.string()) })
      return seen
    },
    async publish(hostId, text) {
      await jetstream(controller).publish(planSubject(hostId), text)
    },
    lastSequence,
    controllerSigner: () => signerOf('nats-controller.key'),
    async moveHostsTo(account) {
      const path = join(server.trustDir, 'nats/accounts.conf')
      const accounts = parseAccountsConfig(await readFile(path, 'utf8'), path)
      const ids = { ...readAccountIds(accounts), hosts: account.getPublicKey() }
      const seed = await readFile(join(server.trustDir, 'root/nats-accounts.key'), 'utf8')
      const signed = await signAccounts(ids, fromSeed(Buffer.from(seed.trim())))
      await writeFile(path, accountsConfig({ operator: accounts.operator, ...signed }))
      await server.restart()
      return { account: ids.hosts, key: (await signerOf('nats-hosts.key')).key }
    },
    async closeHosts() {
      for (const connection of open.splice(0)) await connection.close()
    },
    async close() {
      for (const connection of open.splice(0)) await connection.close()
      await controller.close()
      await server.stop()
    },
  }
}
