import * as z from 'zod'
import { ControllerError } from '../errors.ts'
import type { Credentials } from './credentials.ts'
import type { RegistryHttp, Reply } from './registry-http.ts'

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() })
const maxTokenBytes = 64 * 1024

export type Login = {
  readonly http: RegistryHttp
  readonly credentials: Credentials
  readonly host: string
  readonly path: string
  readonly signal: AbortSignal
}

/** The Authorization header that a 401 asks for, or null when there is nothing to answer it with. */
export async function answerChallenge(refused: Reply, login: Login): Promise<string | null> {
  const challenge = refused.header('www-authenticate') ?? ''
  const { credentials } = login
  if (/^basic\b/i.test(challenge)) return credentials.kind === 'basic' ? basic(credentials) : null
  const fields = parametersOf(challenge)
  const realm = fields.get('realm')
  if (!/^bearer\b/i.test(challenge) || realm === undefined || !URL.canParse(realm)) return null
  const reply = await askForToken(new URL(realm), fields.get('service'), login)
  const token = reply.status === 200 ? tokenIn(reply.body) : undefined
  if (token !== undefined) return `Bearer ${token}`
  if (reply.status === 200 || reply.status === 401 || reply.status === 403) return null
  const code = reply.status === 429 ? 'RegistryRateLimited' : 'RegistryUnreachable'
  const message = `getting a token for ${login.host}/${login.path}: ${new URL(realm).origin} answers ${reply.status}`
  throw new ControllerError(code, message, { retryAfterMs: retryAfterMs(reply) })
}

function askForToken(realm: URL, service: string | undefined, login: Login): Promise<Reply> {
  const { http, credentials, path, signal } = login
  // Asked for by us, not taken from the challenge: a registry must not widen what a token is good for.
  const parameters = new URLSearchParams({ scope: `repository:${path}:pull` })
  if (service !== undefined) parameters.set('service', service)
  if (credentials.kind === 'identity-token') {
    parameters.set('grant_type', 'refresh_token')
    parameters.set('refresh_token', credentials.token)
    parameters.set('client_id', 'bootfleet')
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return http.send({
      method: 'POST',
      url: realm.href,
      headers,
      form: parameters.toString(),
      maxBodyBytes: maxTokenBytes,
      signal,
    })
  }
  for (const [name, value] of parameters) realm.searchParams.set(name, value)
  const headers: Record<string, string> =
    credentials.kind === 'basic' ? { authorization: basic(credentials) } : {}
  return http.send({ method: 'GET', url: realm.href, headers, maxBodyBytes: maxTokenBytes, signal })
}

function tokenIn(body: Buffer): string | undefined {
  try {
    const { token, access_token: accessToken } = tokenSchema.parse(JSON.parse(body.toString('utf8')))
    const found = token ?? accessToken
    return found !== undefined && /^[\x21-\x7e]+$/.test(found) ? found : undefined
  } catch {
    return undefined
  }
}

function parametersOf(challenge: string): ReadonlyMap<string, string> {
  const found = challenge.slice(0, 4096).matchAll(/([a-z_]+)="([^"]*)"/gi)
  return new Map(Array.from(found, ([, name = '', value = '']) => [name.toLowerCase(), value]))
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

const maxRetryAfterMs = 24 * 3_600_000

/** Seconds or an HTTP date. */
export function retryAfterMs(reply: Reply): number | undefined {
  const value = reply.header('retry-after')
  if (value === undefined) return undefined
  const waitMs = /^[0-9]+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(waitMs) ? undefined : Math.min(maxRetryAfterMs, Math.max(0, waitMs))
}
