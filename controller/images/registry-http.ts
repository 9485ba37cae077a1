import { Agent, request } from 'undici'
import type { Dispatcher } from 'undici'
import { ControllerError } from '../errors.ts'
import { withTimeLimit } from '../time-limit.ts'

export type Reply = {
  readonly status: number
  readonly url: string
  readonly header: (name: string) => string | undefined
  readonly body: Buffer
}

export type Request = {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly form?: string
  readonly maxBodyBytes: number
  readonly signal: AbortSignal
}

export type RegistryHttp = {
  send(call: Request): Promise<Reply>
  baseUrlOf(host: string): string
  close(): Promise<void>
}

export type RegistryHttpOptions = {
  readonly plainHttpHosts: readonly string[]
  readonly ca?: string | undefined
}

const maxRedirects = 5
const requestTimeoutMs = 30_000

export function createRegistryHttp({ plainHttpHosts, ca }: RegistryHttpOptions): RegistryHttp {
  const agent = new Agent({
    connect: ca === undefined ? { timeout: 10_000 } : { timeout: 10_000, ca },
    headersTimeout: 20_000,
    bodyTimeout: 20_000,
    connections: 8,
  })
  const permit = (url: URL) => {
    if (url.protocol === 'https:' || (url.protocol === 'http:' && plainHttpHosts.includes(url.host))) return
    throw new ControllerError(
      'RegistryDenied',
      `connecting to ${url.origin}: only https is allowed; list "${url.host}" among the plain-http hosts if it is meant`,
    )
  }
  return {
    send: (call) => follow(agent, call, permit),
    baseUrlOf: (host) => {
      const server = host === 'docker.io' ? 'registry-1.docker.io' : host
      return `${plainHttpHosts.includes(host) ? 'http' : 'https'}://${server}/v2/`
    },
    close: () => agent.close(),
  }
}

/** Blobs are often redirected to a storage server, which must not see the registry's credentials. */
function follow(agent: Agent, call: Request, permit: (url: URL) => void): Promise<Reply> {
  return withTimeLimit(call.signal, requestTimeoutMs, (signal) => followWithin(agent, call, permit, signal))
}

async function followWithin(
  agent: Agent,
  call: Request,
  permit: (url: URL) => void,
  signal: AbortSignal,
): Promise<Reply> {
  let url = new URL(call.url)
  let headers = call.headers
  for (let hop = 0; hop <= maxRedirects; hop += 1) {
    permit(url)
    const reply = await once(agent, { ...call, url: url.href, headers, signal }, call.signal)
    const location = reply.header('location')
    if (call.method === 'POST' || reply.status < 300 || reply.status > 399 || location === undefined)
      return reply
    const next = new URL(location, url)
    if (next.origin !== url.origin) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'))
    }
    url = next
  }
  throw new ControllerError(
    'RegistryUnreachable',
    `asking ${new URL(call.url).origin}: more than ${maxRedirects} redirects; check the registry`,
  )
}

async function once(agent: Agent, call: Request, outer: AbortSignal): Promise<Reply> {
  const { origin, pathname } = new URL(call.url)
  try {
    const { method, headers, signal } = call
    const response = await request(call.url, {
      method,
      headers,
      signal,
      dispatcher: agent,
      body: call.form ?? null,
    })
    const body = await readBody(response.body, call.maxBodyBytes)
    if (body === null) {
      throw new ControllerError(
        'ImageInvalid',
        `reading ${origin}${pathname}: the answer is larger than ${call.maxBodyBytes} bytes; check the image`,
      )
    }
    return {
      status: response.statusCode,
      url: call.url,
      header: (name) => single(response.headers[name]),
      body,
    }
  } catch (error) {
    outer.throwIfAborted()
    if (error instanceof ControllerError) throw error
    const found = error instanceof Error ? reasonOf(error) : 'no answer'
    throw new ControllerError(
      'RegistryUnreachable',
      `asking ${origin}${pathname}: ${found}; check the address and the network`,
      { cause: error },
    )
  }
}

/** Null, and the connection cut, as soon as the limit is passed, whatever Content-Length says. */
async function readBody(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let totalBytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    totalBytes += chunk.length
    if (totalBytes > maxBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function reasonOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return error.message === '' ? code : `${error.message} (${code})`
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
