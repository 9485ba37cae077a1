import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decode, encodeAccount, encodeUser } from '@nats-io/jwt'
import type { Account } from '@nats-io/jwt'
import { createAccount, createUser, fromPublic, fromSeed } from '@nats-io/nkeys'
import { connect, jwtAuthenticator } from '@nats-io/transport-node'
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { pino } from 'pino'
import { openNatsIdentity, openNatsUserFor, openProvisioner } from '../../controller/pki/nats-keys.ts'
import type { NatsUserFor } from '../../controller/pki/nats-keys.ts'
import type { StoreOptions } from '../../controller/store/store.ts'
import { connectNats } from '../../controller/store/nats.ts'
import { provision } from '../../controller/store/provision.ts'
import { natsTls } from '../../proto/nats-tls.ts'
import type { TlsCredentials } from '../../proto/nats-tls.ts'
import { accountsConfig, parseAccountsConfig } from '../../trust/nats-server-config.ts'

type Server = { readonly url: string; readonly trustDir: string }
type Monitored = Server & { readonly monitorUrl: string }

const DAY_MS = 24 * 60 * 60 * 1000

/** What `connectStore` needs to be this server's controller. */
export async function controllerOf(
  server: Monitored,
): Promise<Pick<StoreOptions, 'natsUrl' | 'monitorUrl' | 'identity' | 'credentials'>> {
  const credentials = await controllerCredentials(server.trustDir)
  const identity = await openNatsIdentity(join(server.trustDir, 'controller'))
  return { natsUrl: server.url, monitorUrl: server.monitorUrl, identity, credentials: () => credentials }
}

/** Makes the users of hosts, as the controller does. */
export function hostUsersOf(trustDir: string): Promise<NatsUserFor> {
  return openNatsUserFor(join(trustDir, 'controller'), DAY_MS)
}

export async function provisionStreams(server: Monitored): Promise<void> {
  const identity = await openProvisioner(join(server.trustDir, 'provisioner/nats-provisioner.key'))
  const logger = pino({ level: 'silent' })
  const { signal } = new AbortController()
  const connection = await connectNats({ ...(await controllerOf(server)), identity, logger, signal })
  try {
    await provision(connection)
  } finally {
    await connection.close()
  }
}

/** Adds to the server's accounts a key whose users may do everything in CTRL; only tests have one. */
export async function openAdmin(server: Server & { reload(): void }): Promise<NatsConnection> {
  const path = join(server.trustDir, 'nats/accounts.conf')
  const accounts = parseAccountsConfig(await readFile(path, 'utf8'), path)
  const claims = decode<Account>(accounts.control)
  const [admin, user] = [createAccount(), createUser()]
  const { limits, exports, signing_keys: keys = [] } = claims.nats
  const changed = {
    version: 2,
    ...(limits === undefined ? {} : { limits }),
    ...(exports === undefined ? {} : { exports }),
    signing_keys: [...keys, admin.getPublicKey()],
  }
  const seed = await readFile(join(server.trustDir, 'root/nats-accounts.key'))
  const signer = fromSeed(Buffer.from(seed.toString().trim()))
  const control = await encodeAccount('CTRL', fromPublic(claims.sub), changed, { signer })
  await writeFile(path, accountsConfig({ ...accounts, control }))
  server.reload()
  const jwt = await encodeUser('admin', user, fromPublic(claims.sub), {}, { signer: admin })
  const patient = { waitOnFirstConnect: true, ignoreAuthErrorAbort: true }
  return connectAs(server, { jwt, seed: user.getSeed() }, patient)
}

/** By default with the controller's certificate; nothing about the user is made right. */
export async function connectAs(
  server: Server,
  user: { readonly jwt: string; readonly seed: Uint8Array },
  options: ConnectionOptions & { readonly credentials?: TlsCredentials } = {},
): Promise<NatsConnection> {
  const { credentials, ...further } = options
  const tls = credentials ?? (await controllerCredentials(server.trustDir))
  return connect({
    servers: server.url,
    tls: natsTls(() => tls),
    authenticator: jwtAuthenticator(user.jwt, user.seed),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    ...further,
  })
}

async function controllerCredentials(trustDir: string): Promise<TlsCredentials> {
  const read = (name: string): Promise<string> => readFile(join(trustDir, 'controller', name), 'utf8')
  const [keyPem, certificatePem, caPem] = await Promise.all(['server.key', 'server.pem', 'ca.pem'].map(read))
  return { keyPem: keyPem ?? '', certificatePem: certificatePem ?? '', caPem: caPem ?? '' }
}
