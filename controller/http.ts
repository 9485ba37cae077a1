import { createServer as createPlainServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { ControllerError } from './errors.ts'

export type HttpRequest = {
  readonly header: (name: string) => string | undefined
  readonly body: Buffer
}

/** Answers with a status and nothing else: who calls learns nothing. */
export type HttpRoute = (request: HttpRequest) => Promise<number>

export type HttpServerOptions = {
  /** HOST:PORT; port 0 takes a free one. */
  readonly listen: string
  /** Null: plain HTTP, for a proxy in front. */
  readonly tls: { readonly certificatePem: string; readonly keyPem: string } | null
  /** By path; each takes POST only. */
  readonly routes: ReadonlyMap<string, HttpRoute>
  readonly logger: Logger
}

export type HttpServer = {
  /** host:port, as it is in use. */
  readonly address: string
  close(): Promise<void>
}

const BODY_MAX_BYTES = 1024 * 1024
/** Each may hold a body. */
const CONNECTIONS_MAX = 64
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
}

/** @throws ControllerError ConfigInvalid when the address cannot be taken. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { listen, tls } = options
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, options).then(
      (status) => reply(request, response, status),
      (error: unknown) => {
        options.logger.error({ err: error }, 'http request failed unexpectedly')
        reply(request, response, 500)
      },
    )
  }
  const server =
    tls === null
      ? createPlainServer(LIMITS, answer)
      : createTlsServer(
          { ...LIMITS, cert: tls.certificatePem, key: tls.keyPem, minVersion: 'TLSv1.2' },
          answer,
        )
  server.maxConnections = CONNECTIONS_MAX
  const { address, port } = await listening(server, listen)
  return {
    address: `${address.includes(':') ? `[${address}]` : address}:${port}`,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function listening(server: Server, listen: string): Promise<AddressInfo> {
  const colon = listen.lastIndexOf(':')
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `listening for webhooks on ${listen}: ${cause.code ?? cause.message}; take another address`
      reject(new ControllerError('ConfigInvalid', message, { cause }))
    })
    server.listen({ host, port: Number(listen.slice(colon + 1)) }, () => {
      resolve(server.address() as AddressInfo)
    })
  })
}

async function handle(request: IncomingMessage, { routes }: HttpServerOptions): Promise<number> {
  const [path = ''] = (request.url ?? '').split('?')
  const route = routes.get(path)
  if (route === undefined) return 404
  if (request.method !== 'POST') return 405
  const body = await bodyOf(request)
  if (body === null) return 413
  const header = (name: string): string | undefined => {
    const value = request.headers[name]
    return Array.isArray(value) ? value[0] : value
  }
  return route({ header, body })
}

/** Null as soon as it is too large, whatever Content-Length says. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_MAX_BYTES) return null
  const chunks: Buffer[] = []
  let totalBytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      totalBytes += chunk.length
      if (totalBytes > BODY_MAX_BYTES) return null
      chunks.push(chunk)
    }
  } catch {
    // The caller went away, and hears no answer either.
  }
  return Buffer.concat(chunks)
}

function reply(request: IncomingMessage, response: ServerResponse, status: number): void {
  if (status === 405) response.setHeader('allow', 'POST')
  if (status === 503) response.setHeader('retry-after', '15')
  // What was not read must not be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close')
  response.writeHead(status).end()
}
