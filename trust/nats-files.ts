import type { KeyPair } from '@nats-io/nkeys'
import type { KeyAndCertificate } from './certificate-authority.ts'
import { makeNatsAccounts } from './nats-accounts.ts'
import { signerText } from './nats-keys.ts'
import {
  NATS_ACCOUNTS_FILE,
  NATS_CONFIG_FILE,
  NATS_DEFAULTS,
  accountsConfig,
  natsServerConfig,
} from './nats-server-config.ts'
import type { NewFile } from './write-all.ts'

/** In the folder of the controller: makes the users of hosts, and its own. */
export const HOSTS_SIGNER_FILE = 'nats-hosts.key'
export const CONTROLLER_SIGNER_FILE = 'nats-controller.key'
/** With whoever installs and upgrades: makes streams. */
export const PROVISIONER_SIGNER_FILE = 'nats-provisioner.key'
/** Offline: signs what accounts may do. */
export const ACCOUNT_SIGNER_FILE = 'nats-accounts.key'

/** Everything that concerns NATS, split by who keeps it. */
export async function natsFiles(
  server: KeyAndCertificate,
  certificateAuthorityPem: string,
): Promise<readonly NewFile[]> {
  const { accounts, operatorKey, accountSigner, signers } = await makeNatsAccounts()
  return [
    { path: 'root/nats-operator.key', text: seedText(operatorKey), secret: true },
    { path: `root/${ACCOUNT_SIGNER_FILE}`, text: seedText(accountSigner), secret: true },
    { path: `controller/${HOSTS_SIGNER_FILE}`, text: signerText(signers.host), secret: true },
    { path: `controller/${CONTROLLER_SIGNER_FILE}`, text: signerText(signers.controller), secret: true },
    { path: `provisioner/${PROVISIONER_SIGNER_FILE}`, text: signerText(signers.provisioner), secret: true },
    { path: `nats/${NATS_CONFIG_FILE}`, text: natsServerConfig(NATS_DEFAULTS), secret: false },
    { path: `nats/${NATS_ACCOUNTS_FILE}`, text: accountsConfig(accounts), secret: false },
    { path: 'nats/server.pem', text: server.certificatePem, secret: false },
    { path: 'nats/server.key', text: server.keyPem, secret: true },
    { path: 'nats/ca.pem', text: certificateAuthorityPem, secret: false },
  ]
}

function seedText(key: KeyPair): string {
  return `${Buffer.from(key.getSeed()).toString('utf8')}\n`
}
