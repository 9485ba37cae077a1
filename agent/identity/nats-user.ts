import { createUser, fromSeed } from '@nats-io/nkeys'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from '../durable-file.ts'
import { AgentError, toAgentError } from '../errors.ts'
import { plainKeyFiles } from './key-files.ts'
import type { KeyFiles } from './key-files.ts'
import { readIfThere } from './trust-material.ts'

/** Made here, never leaves the host. */
const SEED_FILE = 'nats.key'
/** What whoever enrols the host sends along with its certificate request. */
const PUBLIC_FILE = 'nats.pub'
/** What the answer brings: good for as long as the certificate, and only with the key. */
export const NATS_JWT_FILE = 'nats.jwt'

const JWT = /^[\w-]+\.([\w-]+)\.[\w-]+$/

/** How this host proves to NATS who it is. */
export type NatsUser = {
  readonly publicKey: string
  readonly seed: Uint8Array
  /** The one on disk, so that a connection that was closed at the end of one comes back with its successor. */
  readonly jwt: () => string
  /**
   * Puts the successor in place. Whether it is signed by whom NATS believes only the server can tell.
   * @throws AgentError IdentityInvalid when it is none, or for another key; what was there stays.
   */
  readonly take: (jwt: string) => Promise<void>
}

/**
 * Load the key of this host's NATS user from `directory`; made at the first start, with its public half beside it.
 * @throws AgentError IdentityInvalid when the file holds something else.
 */
export async function openNatsUser(
  directory: string,
  keys: KeyFiles = plainKeyFiles(directory),
): Promise<NatsUser> {
  const path = join(directory, SEED_FILE)
  try {
    const text = (await keys.read(SEED_FILE)) ?? (await makeSeed(keys))
    const seed = Buffer.from(text.trim(), 'utf8')
    const publicKey = fromSeed(seed).getPublicKey()
    if (!publicKey.startsWith('U')) throw new Error('it is no key of a user')
    const publicPath = join(directory, PUBLIC_FILE)
    if ((await readIfThere(publicPath))?.trim() !== publicKey) {
      await writeDurably(publicPath, `${publicKey}\n`, 0o644)
    }
    const jwtPath = join(directory, NATS_JWT_FILE)
    return {
      publicKey,
      seed,
      jwt: () => readFileSync(jwtPath, 'utf8').trim(),
      async take(jwt) {
        const found = unfitness(jwt, publicKey)
        if (found === null) return writeDurably(jwtPath, `${jwt}\n`, 0o644)
        throw new AgentError(
          'IdentityInvalid',
          `taking the JWT of the NATS user ${publicKey}: ${found}; ${jwtPath} stays as it was`,
        )
      },
    }
  } catch (error) {
    throw toAgentError('IdentityInvalid', `loading the key of the NATS user ${path}`, error)
  }
}

function unfitness(jwt: string, publicKey: string): string | null {
  const payload = JWT.exec(jwt)?.[1]
  if (payload === undefined) return 'the answer holds none'
  const subject = subjectOf(Buffer.from(payload, 'base64url').toString('utf8'))
  if (subject === null) return 'what the answer holds cannot be read as one'
  return subject === publicKey ? null : 'the one of the answer is for another key'
}

function subjectOf(text: string): unknown {
  try {
    const claims: unknown = JSON.parse(text)
    return typeof claims === 'object' && claims !== null && 'sub' in claims ? claims.sub : null
  } catch {
    return null
  }
}

async function makeSeed(keys: KeyFiles): Promise<string> {
  const seed = `${Buffer.from(createUser().getSeed()).toString('utf8')}\n`
  await keys.add(SEED_FILE, seed)
  return seed
}
