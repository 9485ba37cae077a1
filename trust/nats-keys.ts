import { encodeUser } from '@nats-io/jwt'
import { createUser, fromPublic } from '@nats-io/nkeys'
import type { KeyPair } from '@nats-io/nkeys'
import * as z from 'zod'
import { isHostId } from '../proto/subjects.ts'
import { TrustError } from './errors.ts'
import { nativeKey } from './nats-native-key.ts'
import type { NatsRole } from './nats-permissions.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** No user lives longer, whatever is asked for: what was stolen ends with it. */
export const NATS_USER_LIFE_MAX_MS = DAY_MS
const PUBLIC_KEY = /^U[A-Z2-7]{55}$/

/** Makes users of one account in one role; what they may do is fixed in the account, out of its reach. */
export type NatsSigner = { readonly account: string; readonly key: KeyPair }

export type NatsUser = { readonly jwt: string; readonly seed: Uint8Array }

/** Content of a signer's file. Secret. */
export function signerText({ account, key }: NatsSigner): string {
  const signingKey = Buffer.from(key.getSeed()).toString('utf8')
  return `${JSON.stringify({ account, signingKey }, null, 2)}\n`
}

/** @throws TrustError TrustInvalid; what the text holds instead is never shown. */
export function parseSigner(text: string, origin: string): NatsSigner {
  const signer = readSigner(text)
  if (signer !== null) return signer
  throw new TrustError(
    'TrustInvalid',
    `reading the NATS key ${origin}: it holds no account and signing key; bootfleet trust init makes it`,
  )
}

const SignerFile = z.strictObject({ account: z.string(), signingKey: z.string() })

function readSigner(text: string): NatsSigner | null {
  try {
    const { account, signingKey } = SignerFile.parse(JSON.parse(text))
    const key = nativeKey(signingKey)
    const isSigner = key.getPublicKey().startsWith('A') && account.startsWith('A')
    return isSigner && fromPublic(account).getPublicKey() === account ? { account, key } : null
  } catch {
    return null
  }
}

/**
 * A JWT by which one host may read its own plan and nothing else, for its own key.
 * @throws TrustError RequestInvalid when the name or the key is none: a user called `*` would be let in everywhere.
 */
export async function mintHostUser(
  signer: NatsSigner,
  user: {
    readonly hostId: string
    readonly publicKey: string
    readonly nowMs: number
    readonly lifeMs: number
  },
): Promise<string> {
  const { hostId, publicKey, nowMs, lifeMs } = user
  if (!isHostId(hostId)) {
    throw new TrustError('RequestInvalid', `making a NATS user: ${JSON.stringify(hostId)} is no host id`)
  }
  if (!isUserKey(publicKey)) {
    throw new TrustError(
      'RequestInvalid',
      `making the NATS user of host ${hostId}: the request holds no public key of a NATS user; send the one in nats.pub`,
    )
  }
  return mint(signer, { name: hostId, key: fromPublic(publicKey), expiresAtMs: endOf(nowMs, lifeMs) })
}

/** A user with a key of its own, for whoever holds the signer: nothing of it needs to be kept or renewed. */
export async function mintOwnUser(
  signer: NatsSigner,
  role: Exclude<NatsRole, 'host'>,
  nowMs: number,
): Promise<NatsUser> {
  const key = createUser()
  const expiresAtMs = endOf(nowMs, NATS_USER_LIFE_MAX_MS)
  return { jwt: await mint(signer, { name: role, key, expiresAtMs }), seed: key.getSeed() }
}

async function mint(
  { account, key: signer }: NatsSigner,
  user: { readonly name: string; readonly key: KeyPair; readonly expiresAtMs: number },
): Promise<string> {
  const exp = Math.floor(user.expiresAtMs / 1000)
  // Scoped: the user carries no permission of its own, and the server refuses one that does.
  return encodeUser(user.name, user.key, fromPublic(account), {}, { signer, scopedUser: true, exp })
}

function endOf(nowMs: number, lifeMs: number): number {
  return nowMs + Math.min(lifeMs, NATS_USER_LIFE_MAX_MS)
}

export function isUserKey(text: string): boolean {
  if (!PUBLIC_KEY.test(text)) return false
  try {
    return fromPublic(text).getPublicKey() === text
  } catch {
    return false
  }
}
