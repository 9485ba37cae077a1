import { createHash } from 'node:crypto'
import { ControllerError } from '../errors.ts'
import { findCredentials } from './credentials.ts'
import { acceptedManifests } from './manifest.ts'
import { answerChallenge, retryAfterMs } from './registry-auth.ts'
import type { RegistryHttp, Reply } from './registry-http.ts'

const maxAnswerBytes = 4 * 1024 * 1024

/** One question of ours, in one or more requests: its credentials are looked up, and a token fetched, at most once. */
export type Session = {
  readonly http: RegistryHttp
  readonly authFiles: readonly string[]
  readonly host: string
  readonly path: string
  readonly name: string
  readonly signal: AbortSignal
  authorization: string | null
}

/** `path` is below the repository. */
export async function ask(session: Session, method: 'GET' | 'HEAD', path: string): Promise<Reply> {
  return accept(session, await authorized(session, { method, path, maxBodyBytes: maxAnswerBytes }))
}

/** What is there; null: nothing, no such API, or more than so many bytes. */
export async function find(session: Session, path: string, maxBodyBytes: number): Promise<Buffer | null> {
  const question = { method: 'GET', path, maxBodyBytes } as const
  const reply = await authorized(session, question).catch((error: unknown) => {
    if (error instanceof ControllerError && error.code === 'ImageInvalid') return null
    throw error
  })
  if (reply === null || nothingThere.has(reply.status)) return null
  return accept(session, reply).body
}

/** As registries answer what they do not have or do not know. */
const nothingThere: ReadonlySet<number> = new Set([400, 404, 405, 406, 501])

type Question = { readonly method: 'GET' | 'HEAD'; readonly path: string; readonly maxBodyBytes: number }

async function authorized(session: Session, question: Question): Promise<Reply> {
  const first = await send(session, question)
  if (first.status !== 401) return first
  const { http, host, path: repositoryPath, signal } = session
  const credentials = await findCredentials(session.authFiles, host, repositoryPath)
  session.authorization = await answerChallenge(first, {
    http,
    credentials,
    host,
    path: repositoryPath,
    signal,
  })
  return session.authorization === null ? first : send(session, question)
}

function send(
  { http, host, path: repository, authorization, signal }: Session,
  { method, path, maxBodyBytes }: Question,
): Promise<Reply> {
  const url = `${http.baseUrlOf(host)}${repository}/${path}`
  const headers = {
    accept: `${acceptedManifests}, */*;q=0.1`,
    ...(authorization === null ? {} : { authorization }),
  }
  return http.send({ method, url, headers, maxBodyBytes, signal })
}

function accept(session: Session, reply: Reply): Reply {
  const { status } = reply
  if (status === 200) return reply
  const attempt = `resolving ${session.name}: ${session.host} answers ${status}`
  if (status === 401 || status === 403) {
    throw new ControllerError(
      'RegistryDenied',
      `${attempt}; log in with "podman login ${session.host}" or grant read access`,
    )
  }
  if (status === 404)
    throw new ControllerError(
      'ImageNotFound',
      `${attempt}, there is no such image; push it or correct the reference`,
    )
  const options = { retryAfterMs: retryAfterMs(reply) }
  if (status === 429)
    throw new ControllerError(
      'RegistryRateLimited',
      `${attempt}, too many requests; log in or poll less often`,
      options,
    )
  throw new ControllerError('RegistryUnreachable', `${attempt}; check the registry`, options)
}

export function digestOfBody(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`
}
