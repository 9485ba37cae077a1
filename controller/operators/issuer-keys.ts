import type { JsonWebKey } from 'node:crypto'
import * as z from 'zod'
import { parseStrictJson } from '../../proto/strict-json.ts'
import { ControllerError } from '../errors.ts'

/** The keys with which an issuer signs, as it publishes them. */
export type IssuerKeys = {
  /** Null when it has none of that name. @throws ControllerError IssuerUnreachable. */
  readonly keyOf: (keyId: string) => Promise<JsonWebKey | null>
}

export type IssuerKeysOptions = {
  /** https://…, without a slash at the end unless the issuer says so itself. */
  readonly issuer: string
  /** The body of what is there, within bounds of size and time; null unless it is 200. */
  readonly get: (url: string) => Promise<string | null>
  /** Milliseconds that never go back. */
  readonly now?: () => number
}

/** A key that the issuer withdrew counts for so long at most. */
const FRESH_MS = 10 * 60_000
/** Whoever makes up names of keys must not have us ask the issuer for each. */
const ASK_AGAIN_MS = 30_000
const KEYS_MAX = 100

const Discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https$/ }) })
const KeySet = z.looseObject({
  keys: z.array(z.looseObject({ kid: z.string().optional(), kty: z.string() })).max(KEYS_MAX),
})

export function openIssuerKeys(options: IssuerKeysOptions): IssuerKeys {
  const { now = () => performance.now() } = options
  let known: ReadonlyMap<string, JsonWebKey> = new Map()
  let fetchedAtMs = -Infinity
  let askedAtMs = -Infinity
  let underWay: Promise<void> | null = null

  async function refresh(): Promise<void> {
    askedAtMs = now()
    known = await fetchKeys(options)
    fetchedAtMs = now()
  }

  return {
    async keyOf(keyId) {
      const isFresh = now() - fetchedAtMs < FRESH_MS
      if (isFresh && known.has(keyId)) return known.get(keyId) ?? null
      if (underWay === null && now() - askedAtMs >= ASK_AGAIN_MS) {
        underWay = refresh().finally(() => {
          underWay = null
        })
      }
      await underWay
      if (now() - fetchedAtMs < FRESH_MS) return known.get(keyId) ?? null
      throw unreachable(options.issuer, 'it could not be read a moment ago')
    },
  }
}

async function fetchKeys({ issuer, get }: IssuerKeysOptions): Promise<ReadonlyMap<string, JsonWebKey>> {
  const discovery = Discovery.safeParse(
    await getJson(issuer, `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, get),
  )
  if (!discovery.success || discovery.data.issuer !== issuer)
    throw unreachable(issuer, 'its configuration is not that of this issuer')
  const set = KeySet.safeParse(await getJson(issuer, discovery.data.jwks_uri, get))
  if (!set.success) throw unreachable(issuer, 'its list of keys is none')
  // Two of one name would leave it open which one counts.
  const twice = set.data.keys.filter(({ kid }, at, all) => all.findIndex((key) => key.kid === kid) !== at)
  const named = set.data.keys.flatMap(({ kid, ...key }) =>
    kid === undefined || twice.some((other) => other.kid === kid) ? [] : [[kid, key as JsonWebKey] as const],
  )
  return new Map(named)
}

async function getJson(issuer: string, url: string, get: IssuerKeysOptions['get']): Promise<unknown> {
  const body = await get(url).catch((cause: unknown) => {
    throw unreachable(issuer, cause instanceof Error ? cause.message : 'no answer', cause)
  })
  if (body === null) throw unreachable(issuer, 'it did not answer with 200 and a short document')
  return parseStrictJson(Buffer.from(body))
}

function unreachable(issuer: string, found: string, cause?: unknown): ControllerError {
  const message = `reading the keys of the OIDC issuer ${issuer}: ${found}; check operators.oidc and the network`
  return new ControllerError('IssuerUnreachable', message, { cause })
}
