import { join } from 'node:path'
import { TrustError } from './errors.ts'
import type { NatsAccounts } from './nats-accounts.ts'
import { readAccountIds } from './nats-accounts.ts'

/** Names of the files in the folder that goes to the NATS server. */
export const NATS_CONFIG_FILE = 'nats-server.conf'
export const NATS_ACCOUNTS_FILE = 'accounts.conf'

/** Where the folder of the server is in production, unless who installs it writes something else. */
export const NATS_DEFAULTS = {
  dir: '/etc/bootfleet/nats',
  listen: '0.0.0.0:4222',
  monitor: '127.0.0.1:8222',
  storeDir: '/var/lib/bootfleet/nats',
} as const

const JWT = /^\s*(operator|[A-Z2-7]{56}):\s*(\S+)\s*$/gm
/** Above the largest value in a bucket, and the largest plan with its headers. */
const PAYLOAD_MAX_BYTES = 256 * 1024

/**
 * The one way a server runs, in production, `dev` and tests: accounts from signed JWTs, nobody before mutual
 * TLS 1.3, not even to hear which version it is, and no write acknowledged before it is on disk.
 */
export function natsServerConfig(places: {
  /** Holds the accounts, and the server's certificate, key and CA. */
  readonly dir: string
  readonly listen: string
  readonly monitor: string
  readonly storeDir: string
}): string {
  const at = (file: string): string => JSON.stringify(join(places.dir, file))
  return `server_name: bootfleet
listen: ${JSON.stringify(places.listen)}
http: ${JSON.stringify(places.monitor)}
max_payload: ${PAYLOAD_MAX_BYTES}
tls {
  cert_file: ${at('server.pem')}
  key_file: ${at('server.key')}
  ca_file: ${at('ca.pem')}
  verify: true
  min_version: "1.3"
  handshake_first: true
  timeout: 10
}
jetstream {
  store_dir: ${JSON.stringify(places.storeDir)}
  sync_interval: always
}
include ./${NATS_ACCOUNTS_FILE}
`
}

/** Included by {@link natsServerConfig}; replaced whole when a user is revoked or a version needs other permissions. */
export function accountsConfig(accounts: NatsAccounts): string {
  const { system, control, hosts } = readAccountIds(accounts)
  return `operator: ${accounts.operator}
system_account: ${system}
resolver: MEMORY
resolver_preload {
  ${system}: ${accounts.system}
  ${control}: ${accounts.control}
  ${hosts}: ${accounts.hosts}
}
`
}

/** @throws TrustError TrustInvalid when it is not what {@link accountsConfig} writes. */
export function parseAccountsConfig(text: string, origin: string): NatsAccounts {
  const [operator, system, control, hosts] = [...text.matchAll(JWT)].map(([, , jwt]) => jwt)
  if (operator === undefined || system === undefined || control === undefined || hosts === undefined) {
    throw new TrustError('TrustInvalid', `reading ${origin}: it does not hold an operator and three accounts`)
  }
  return { operator, system, control, hosts }
}
