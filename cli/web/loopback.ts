import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'
import { CliError } from '../errors.ts'
import type { Upstream } from './upstream.ts'

export type Loopback = {
  /** With the token, which is all that it takes to see the page from this machine. */
  readonly url: string
  close(): Promise<void>
}

const CONNECTIONS_MAX = 32
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 8 * 1024,
}
const HEADERS_MAX = 64
/** Of the controller's answer; what is between two connections stays there. */
const HANDED_ON = [
  'cache-control',
  'content-security-policy',
  'content-type',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'permissions-policy',
  'referrer-policy',
  'x-content-type-options',
  'x-frame-options',
]

/**
 * Serves on 127.0.0.1 what the controller serves to the operator. Every program and page on this machine can reach
 * that address, so each path begins with 256 random bits; and only the address itself is answered to, since another
 * site may have its own name lead here.
 * @throws CliError when the port is taken.
 */
export async function openLoopback(upstream: Upstream, port: number): Promise<Loopback> {
  const token = randomBytes(32).toString('base64url')
  const server = createServer(LIMITS, (request, response) => {
    const own = (server.address() as AddressInfo).port
    const path = pathOf(request, { token, port: own })
    if (typeof path === 'number') refuse(response, path)
    else void handOn({ request, response }, upstream, path)
  })
  server.maxConnections = CONNECTIONS_MAX
  server.maxHeadersCount = HEADERS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `listening on 127.0.0.1:${port}: ${cause.code ?? cause.message}; take another --port`
      reject(new CliError('BadUsage', message, { cause }))
    })
    server.listen({ host: '127.0.0.1', port }, resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${token}/`,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** What is asked of the controller, or the status of a refusal. */
function pathOf(
  { method, url = '', headers }: IncomingMessage,
  { token, port }: { readonly token: string; readonly port: number },
): string | number {
  if (headers.host !== `127.0.0.1:${port}` && headers.host !== `localhost:${port}`) return 403
  if (method !== 'GET' && method !== 'HEAD') return 405
  const [, given = '', rest = ''] = /^\/([^/?]*)(\/.*)?$/.exec(url) ?? []
  if (!isSame(given, token)) return 403
  return /^\/[\w.?=&-]*$/.test(rest) ? rest : 404
}

function isSame(given: string, token: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(token))
}

async function handOn(
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  upstream: Upstream,
  path: string,
): Promise<void> {
  const over = new AbortController()
  response.once('close', () => over.abort())
  try {
    const answer = await upstream.get(path, over.signal)
    for (const name of HANDED_ON) {
      const value = answer.headers[name]
      if (value !== undefined) response.setHeader(name, value)
    }
    response.writeHead(answer.statusCode ?? 502)
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    pipeline(answer, response, () => over.abort())
  } catch (error) {
    if (response.headersSent) return void response.destroy()
    const why = error instanceof Error ? error.message : String(error)
    response.writeHead(502, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' })
    response.end(`${why}\n`)
  }
}

function refuse(response: ServerResponse, status: number): void {
  const said = status === 403 ? 'open the whole address that "bootfleet web" printed\n' : ''
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' }).end(said)
}
