import { Agent, request } from 'undici'
import { ControllerError } from '../errors.ts'
import { withTimeLimit } from '../time-limit.ts'

export type CommitStatus = {
  readonly commit: string
  readonly context: string
  readonly state: 'pending' | 'success' | 'failure'
  /** One sentence. */
  readonly description: string
}

/** Where a forge keeps what is said of a repository's commits. */
export type StatusTarget = {
  readonly forge: 'github' | 'gitlab' | 'gitea' | 'forgejo'
  readonly repository: string
  /** Undefined: the public one of the forge. */
  readonly apiUrl?: string | undefined
}

export type StatusClient = {
  /** @throws ControllerError ForgeDenied when trying again cannot help, ForgeUnreachable when it may. */
  send(target: StatusTarget, status: CommitStatus, token: string, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** GitHub refuses a longer one. */
const DESCRIPTION_MAX = 140
const ANSWER_MAX_BYTES = 64 * 1024
const TIME_LIMIT_MS = 15_000
const publicApis = { github: 'https://api.github.com', gitlab: 'https://gitlab.com/api/v4' }

export function createStatusClient(): StatusClient {
  const agent = new Agent({ connect: { timeout: 10_000 }, connections: 2 })
  return {
    send: (target, status, token, signal) =>
      withTimeLimit(signal, TIME_LIMIT_MS, (bounded) =>
        send(agent, toRequest(target, status, token), bounded),
      ).catch((error: unknown) => {
        signal.throwIfAborted()
        if (error instanceof ControllerError) throw error
        const found = error instanceof Error ? error.message : 'no answer'
        throw new ControllerError('ForgeUnreachable', `${attempt(target, status)}: ${found}`, {
          cause: error,
        })
      }),
    close: () => agent.close(),
  }
}

type StatusRequest = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, string>>
  readonly what: string
}

function toRequest(target: StatusTarget, status: CommitStatus, token: string): StatusRequest {
  const { forge, repository } = target
  const { commit, context, state } = status
  const description = shorten(status.description)
  const api = (target.apiUrl ?? publicApi(forge)).replace(/\/+$/, '')
  const what = attempt(target, status)
  if (forge === 'gitlab') {
    return {
      url: `${api}/projects/${encodeURIComponent(repository)}/statuses/${commit}`,
      headers: { 'private-token': token },
      body: { state: state === 'failure' ? 'failed' : state, name: context, description },
      what,
    }
  }
  const github = {
    accept: 'application/vnd.github+json',
    'x-github-api-version': '2022-11-28',
    authorization: `Bearer ${token}`,
  }
  return {
    url: `${api}/repos/${repository}/statuses/${commit}`,
    headers: forge === 'github' ? github : { accept: 'application/json', authorization: `token ${token}` },
    body: { state, context, description },
    what,
  }
}

function publicApi(forge: StatusTarget['forge']): string {
  if (forge === 'github' || forge === 'gitlab') return publicApis[forge]
  throw new ControllerError('ForgeDenied', `reporting to ${forge}: it has no public address; write apiUrl`)
}

/** No redirect is followed: the token must go nowhere else. */
async function send(
  agent: Agent,
  { url, headers, body, what }: StatusRequest,
  signal: AbortSignal,
): Promise<void> {
  const response = await request(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'bootfleet-controller' },
    body: JSON.stringify(body),
    dispatcher: agent,
    signal,
  })
  const { statusCode: status } = response
  const text = await textOf(response.body as AsyncIterable<Buffer>)
  if (status >= 200 && status <= 299) return
  // GitLab refuses to be told the same state once more.
  if (status === 400 && text.includes('Cannot transition status')) return
  const after = response.headers['retry-after']
  const seconds = typeof after === 'string' && /^\d{1,6}$/.test(after) ? Number(after) : undefined
  const limited = status === 429 || (status === 403 && seconds !== undefined)
  if (limited || status === 408 || status >= 500) {
    const options = { retryAfterMs: seconds === undefined ? undefined : seconds * 1000 }
    throw new ControllerError('ForgeUnreachable', `${what}: the forge answers ${status}`, options)
  }
  const advice = 'check the repository, apiUrl and what the token may do'
  throw new ControllerError('ForgeDenied', `${what}: the forge answers ${status}; ${advice}`)
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let totalBytes = 0
  for await (const chunk of body) {
    totalBytes += chunk.length
    if (totalBytes > ANSWER_MAX_BYTES) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function attempt({ forge, repository }: StatusTarget, { commit, context }: CommitStatus): string {
  return `reporting ${context} of commit ${commit.slice(0, 12)} to ${forge}, ${repository}`
}

function shorten(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim()
  return line.length <= DESCRIPTION_MAX ? line : `${line.slice(0, DESCRIPTION_MAX - 1)}…`
}
