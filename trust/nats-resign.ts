import { fromSeed } from '@nats-io/nkeys'
import type { KeyPair } from '@nats-io/nkeys'
import { TrustError } from './errors.ts'
import { readPem } from './keys.ts'
import { isSame, makeSigners, publicKeysOf, readAccountIds, signAccounts } from './nats-accounts.ts'
import { CONTROLLER_SIGNER_FILE, HOSTS_SIGNER_FILE, PROVISIONER_SIGNER_FILE } from './nats-files.ts'
import { NATS_USER_LIFE_MAX_MS, isUserKey, signerText } from './nats-keys.ts'
import { accountsConfig, parseAccountsConfig } from './nats-server-config.ts'
import { writeAll, writeWhole } from './write-all.ts'

export type Resigning = {
  /** accounts.conf of the server. */
  readonly path: string
  /** nats-accounts.key. */
  readonly signerFile: string
  /** Public keys of hosts' users whose JWTs count no more; `*` is every one that was made until now. */
  readonly revoke: readonly string[]
  /** Where to put new keys that make users, instead of those there are, whose users all count no more. */
  readonly newKeysDir: string | null
  readonly nowMs: number
}

/** A revocation is forgotten when what it revokes has ended by itself, with an hour for clocks. */
const REVOCATION_LIFE_MS = NATS_USER_LIFE_MAX_MS + 60 * 60 * 1000

/**
 * Signs the accounts anew: with what this version lets each role do, and without the users that are revoked.
 * True when the file changed, and the server has to read it again.
 * @throws TrustError TrustInvalid, RequestInvalid.
 */
export async function resignAccounts(options: Resigning): Promise<boolean> {
  const { path, signerFile, revoke, newKeysDir, nowMs } = options
  const accounts = parseAccountsConfig(await read(path), path)
  const signer = readOperatorKey(await read(signerFile), signerFile)
  const ids = readAccountIds(accounts)
  const nowSeconds = Math.floor(nowMs / 1000)
  const wrong = revoke.find((key) => key !== '*' && !isUserKey(key))
  if (wrong !== undefined) {
    throw new TrustError('RequestInvalid', `revoking ${wrong}: it is no public key of a NATS user`)
  }
  const kept = Object.entries(ids.revoked).filter(([, at]) => at * 1000 > nowMs - REVOCATION_LIFE_MS)
  const revoked = Object.fromEntries([...kept, ...revoke.map((key) => [key, nowSeconds] as const)])
  const made = newKeysDir === null ? null : makeSigners(ids)
  const signers = made === null ? ids.signers : publicKeysOf(made)
  const signed = await signAccounts({ ...ids, signers, revoked }, signer)
  if (made !== null && newKeysDir !== null) {
    await writeAll(newKeysDir, [
      { path: HOSTS_SIGNER_FILE, text: signerText(made.host), secret: true },
      { path: CONTROLLER_SIGNER_FILE, text: signerText(made.controller), secret: true },
      { path: PROVISIONER_SIGNER_FILE, text: signerText(made.provisioner), secret: true },
    ])
  }
  if (isSame(accounts, signed)) return false
  await writeWhole(path, accountsConfig({ operator: accounts.operator, ...signed }))
  return true
}

async function read(path: string): Promise<string> {
  return readPem(path, 'the NATS accounts or their key')
}

function readOperatorKey(text: string, origin: string): KeyPair {
  try {
    const key = fromSeed(Buffer.from(text.trim(), 'utf8'))
    if (key.getPublicKey().startsWith('O')) return key
  } catch {
    // Said below: what the file holds instead is never shown.
  }
  throw new TrustError('TrustInvalid', `reading ${origin}: it holds no key that signs NATS accounts`)
}
