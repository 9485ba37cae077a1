import { request } from 'node:https'
import type { RequestOptions } from 'node:https'
import { connect } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { newHost } from '../../test/support/grpc-world.ts'
import { normalStatus } from '../../test/support/dashboard.ts'
import { readingOf, startWebWorld } from '../../test/support/web-page.ts'
import type { WebWorld } from '../../test/support/web-page.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import type { KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { makeCertificateRequest } from '../../trust/certificate-request.ts'
import { WebRefusal } from './backend.ts'

let world: WebWorld

beforeAll(async () => {
  world = await startWebWorld({ pace: { leastMs: 1, mostMs: 20, ageMs: 600_000 } })
})
afterAll(() => world.close())
afterEach(() => {
  world.onCaller = () => 'kim'
})

type Answer = { readonly status: number; readonly body: string; readonly headers: Record<string, unknown> }

/** Until the answer ends, or `enough` of it came. */
function get(
  path: string,
  options: RequestOptions & { readonly as?: KeyAndCertificate | null } = {},
  enough = (_body: string): boolean => false,
): Promise<Answer> {
  const { as = world.operator, ...more } = options
  const identity = as === null ? {} : { key: as.keyPem, cert: as.certificatePem }
  return new Promise((resolve, reject) => {
    const asking = request({
      host: '127.0.0.1',
      port: world.server.port,
      path,
      ca: world.authority.certificatePem,
      checkServerIdentity: () => undefined,
      agent: false,
      ...identity,
      ...more,
    })
    asking.on('error', reject)
    asking.on('response', (answer) => {
      let body = ''
      const end = (): void => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers })
      answer.on('error', end)
      answer.on('end', end)
      answer.on('data', (piece: Buffer) => {
        body += piece.toString()
        if (!enough(body)) return
        end()
        asking.destroy()
      })
    })
    asking.end()
  })
}

it('gives an operator the page, its script, style and icon, and lets a browser load nothing from elsewhere', async () => {
  const page = await get('/')
  expect([page.status, page.body, page.headers['content-type']]).toEqual([
    200,
    '<p>page</p>',
    'text/html; charset=utf-8',
  ])
  const policy = String(page.headers['content-security-policy'])
  expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; /)
  expect(policy).not.toMatch(/unsafe|https?:|data:|\*/)
  expect(page.headers).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  })
  const types = ['/page.js', '/page.css', '/icon.svg'].map(
    async (path) => (await get(path)).headers['content-type'],
  )
  expect((await Promise.all(types)).map((type) => String(type).split(';')[0])).toEqual([
    'text/javascript',
    'text/css',
    'image/svg+xml',
  ])
  expect((await get('/else')).status).toBe(404)
})

it('refuses whoever shows no certificate, or one of another CA, for every path, and says what to do', async () => {
  const stranger = await (await openAuthority(await createAuthority())).issueOperator('kim')
  for (const as of [null, stranger]) {
    for (const path of ['/', '/page.js', '/events', '/else']) {
      const { status, body } = await get(path, { as })
      expect([path, status, body]).toEqual([path, 403, expect.stringContaining('"bootfleet web" opens it')])
    }
  }
})

it('says to log in to whoever shows a certificate that has expired, and keeps no connection for it', async () => {
  const { certificateRequestPem, keyPem } = await makeCertificateRequest()
  const kim = { name: 'kim', lifetimeMs: -60_000 }
  const certificatePem = await world.authority.issueOperatorFor(certificateRequestPem, kim)
  const asking = { headers: { connection: 'keep-alive' } }
  const { status, body, headers } = await get('/', { ...asking, as: { keyPem, certificatePem } })
  expect([status, headers['connection']]).toEqual([403, 'close'])
  expect(body).toContain('has expired; "bootfleet login" or an admin gives another')
  expect((await get('/', asking)).headers['connection']).toBe('keep-alive')
})

it('asks at each request who calls, also over a connection from before', async () => {
  const host = await newHost(world.authority, 3_600_000)
  world.onCaller = () => {
    throw new WebRefusal(403, 'this service is for the identity of one operator')
  }
  const { status, body } = await get('/', { as: host })
  expect([status, body]).toEqual([403, 'this service is for the identity of one operator\n'])
})

it('speaks TLS 1.3 only', async () => {
  const failed = await new Promise((resolve) => {
    const socket = connect({ port: world.server.port, host: '127.0.0.1', maxVersion: 'TLSv1.2' })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    socket.on('secureConnect', () => resolve('connected'))
  })
  expect(failed).toMatch(/PROTOCOL_VERSION/)
})

it('sends a reading at once and after each change, and stops listening when the page is closed', async () => {
  let reads = 0
  world.onRead = (place) => {
    reads += 1
    return readingOf(normalStatus(), place)
  }
  const count = (body: string): number => body.split('event: reading').length - 1
  const { status, headers, body } = await get('/events?fleet=edge', {}, (sofar) => count(sofar) > 1)
  expect([status, headers['content-type'], count(body)]).toEqual([200, 'text/event-stream; charset=utf-8', 2])
  expect(body).toContain('"name":"till-17"')
  await expect.poll(() => world.listening()).toBe(0)
  expect(reads).toBeGreaterThanOrEqual(2)
})

it('refuses a stream by a status where the first reading is refused', async () => {
  world.onRead = () => {
    throw new WebRefusal(503, 'answering: this controller stands by and another leads; try again')
  }
  const { status, body } = await get('/events')
  expect([status, body]).toEqual([503, expect.stringContaining('another leads')])
  expect((await get('/events?fleet=a&host=b')).status).toBe(400)
})

it('tells nothing of a defect', async () => {
  world.onRead = () => {
    throw new Error('/secret/path')
  }
  const { status, body } = await get('/events')
  expect([status, body.includes('secret')]).toEqual([500, false])
})

it('gives no events to another site that has the browser ask', async () => {
  world.onRead = (place) => readingOf(normalStatus(), place)
  for (const site of ['cross-site', 'same-site']) {
    expect((await get('/events', { headers: { 'sec-fetch-site': site } })).status).toBe(403)
  }
})

it('takes only what reads, and no large headers', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await get('/', { method })
    expect([method, status, headers['allow']]).toEqual([method, 405, 'GET, HEAD'])
  }
  expect((await get('/', { headers: { 'x-much': 'x'.repeat(9_000) } })).status).toBe(431)
})
