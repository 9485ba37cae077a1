import type { IncomingMessage, ServerResponse } from 'node:http'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { Hono } from 'hono'
import type { Context } from 'hono'
import type { Logger } from 'pino'
import { WebRefusal } from './backend.ts'
import type { PageFiles, WebBackend } from './backend.ts'
import { placeOfQuery } from './page/place.ts'
import { openStreams } from './streams.ts'
import { tell } from './told.ts'
import type { Pace } from './told.ts'

export type AppOptions = {
  readonly backend: WebBackend
  readonly page: PageFiles
  readonly logger: Logger
  readonly pace?: Pace
}

type Bindings = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse }
type Environment = {
  Bindings: Bindings
  Variables: { certificate: PeerCertificate; operator: string }
}
type Asked = Context<Environment>

/** Nothing but what this server gives is loaded, run or asked, and nobody frames the page or reads it from another. */
const HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

/** Each request is judged anew: certificates expire and roles are taken away while a connection goes on. */
export function createApp({ backend, page, logger, pace }: AppOptions): Hono<Environment> {
  const app = new Hono<Environment>()
  const streams = openStreams()
  app.use(async (asked, next) => {
    for (const [name, value] of Object.entries(HEADERS)) asked.header(name, value)
    const certificate = certificateOf(asked.env.incoming)
    asked.set('certificate', certificate)
    asked.set('operator', backend.operatorOf(certificate))
    await next()
  })
  const file = (text: string, type: string) => (asked: Asked) =>
    asked.body(text, 200, { 'Content-Type': `${type}; charset=utf-8` })
  app.get('/', file(page.html, 'text/html'))
  app.get('/page.js', file(page.script, 'text/javascript'))
  app.get('/page.css', file(page.style, 'text/css'))
  app.get('/icon.svg', file(page.icon, 'image/svg+xml'))
  app.get('/events', (asked) => {
    requireSameSite(asked)
    const place = placeOfQuery(asked.req.query())
    if (place === null) throw new WebRefusal(400, 'ask for one fleet=NAME or host=NAME, or for neither')
    const certificate = asked.get('certificate')
    const read = () => backend.read(certificate, place)
    // What would be refused at once is refused by a status.
    read()
    const { listen } = backend
    const stream = streams.open(asked.get('operator'), (signal) =>
      tell({ read, listen, signal, ...(pace === undefined ? {} : { pace }) }),
    )
    asked.env.outgoing.once('close', stream.close)
    return asked.body(stream.body, 200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
  })
  app.notFound((asked) => asked.text('there is no such page', 404))
  app.onError((error, asked) => {
    if (error instanceof WebRefusal) return asked.text(`${error.message}\n`, error.status)
    logger.error({ err: error }, 'web request failed unexpectedly')
    return asked.text('the controller failed unexpectedly; its log says why\n', 500)
  })
  return app
}

/** Its CA was judged as the connection was opened. */
function certificateOf(incoming: IncomingMessage): PeerCertificate {
  const socket = incoming.socket as TLSSocket
  if (socket.authorized) return socket.getPeerCertificate()
  // Node's types say Error, and it is the code.
  const why: unknown = socket.authorizationError
  throw new WebRefusal(
    403,
    why === 'CERT_HAS_EXPIRED'
      ? 'the client certificate has expired; "bootfleet login" or an admin gives another'
      : 'this page is for operators, who show their client certificate; "bootfleet web" opens it with yours',
  )
}

/** Another site can make a browser ask, with the certificate that is in it; it could not read the answer. */
function requireSameSite(asked: Asked): void {
  const site = asked.req.header('sec-fetch-site') ?? 'none'
  if (site !== 'none' && site !== 'same-origin')
    throw new WebRefusal(403, 'events are for the page itself, not for other sites')
}
