import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import { ControllerError } from '../errors.ts'
import { createApp } from './app.ts'
import type { AppOptions } from './app.ts'

/** All PEM. */
export type WebTls = {
  /** CAs whose certificates operators show. */
  readonly clientAuthoritiesPem: string
  readonly keyPem: string
  readonly certificatePem: string
}

export type WebServerOptions = AppOptions & {
  /** HOST:PORT; port 0 takes a free one. */
  readonly listen: string
  /** Asked at the start and at every `reloadTls`. */
  readonly tls: () => WebTls
}

export type WebServer = {
  /** host:port, as it is in use. */
  readonly address: string
  readonly port: number
  /** New connections get the certificate, and are judged by the CAs, as they are now. */
  readonly reloadTls: () => void
  close(): Promise<void>
}

const CONNECTIONS_MAX = 64
const CONNECTION_AGE_MS = 11 * 60_000
const LIMITS = {
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 8 * 1024,
}
const HEADERS_MAX = 64
const REQUESTS_MAX = 1_000

/**
 * TLS 1.3 that asks for a client certificate and lets whoever has none, or one of another CA, come as far as to be told
 * what to do: a browser says of a handshake that failed only that it did.
 * @throws ControllerError ConfigInvalid when the address cannot be taken.
 */
export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
  const app = createApp(options)
  // The library would otherwise replace the global Request and Response.
  const answer = getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], {
    overrideGlobalObjects: false,
  })
  const server = createServer(
    { ...LIMITS, ...contextOf(options.tls()), requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      // Whoever is refused at the door keeps no connection from those who are not.
      if (!(request.socket as TLSSocket).authorized) response.setHeader('Connection', 'close')
      if (isRead(request, response)) void answer(request, response)
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  server.maxHeadersCount = HEADERS_MAX
  server.maxRequestsPerSocket = REQUESTS_MAX
  server.on('secureConnection', (socket) => {
    // So long a CA that is no longer believed may still speak; a reader that takes nothing is cut off too.
    const timer = setTimeout(() => socket.destroy(), CONNECTION_AGE_MS)
    socket.once('close', () => clearTimeout(timer))
  })
  const { address, port } = await listening(server, options.listen)
  return {
    address: `${address.includes(':') ? `[${address}]` : address}:${port}`,
    port,
    reloadTls: () => server.setSecureContext(contextOf(options.tls())),
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Nothing is ordered here, so nothing that carries a body is read. */
function isRead({ method }: IncomingMessage, response: ServerResponse): boolean {
  if (method === 'GET' || method === 'HEAD') return true
  response.writeHead(405, { Allow: 'GET, HEAD', Connection: 'close' }).end()
  return false
}

function contextOf({ clientAuthoritiesPem, keyPem, certificatePem }: WebTls) {
  return { ca: clientAuthoritiesPem, key: keyPem, cert: certificatePem, minVersion: 'TLSv1.3' } as const
}

function listening(server: ReturnType<typeof createServer>, listen: string): Promise<AddressInfo> {
  const colon = listen.lastIndexOf(':')
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `listening for the web page on ${listen}: ${cause.code ?? cause.message}; check web.listen`
      reject(new ControllerError('ConfigInvalid', message, { cause }))
    })
    server.listen({ host, port: Number(listen.slice(colon + 1)) }, () =>
      resolve(server.address() as AddressInfo),
    )
  })
}
