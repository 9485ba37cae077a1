import { request } from 'node:http'
import { connect } from 'node:net'
import pino from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startHttpServer } from './http.ts'
import type { HttpRequest, HttpServer } from './http.ts'

let server: HttpServer
let received: HttpRequest[]

beforeEach(async () => {
  received = []
  server = await startHttpServer({
    listen: '127.0.0.1:0',
    tls: null,
    logger: pino({ level: 'silent' }),
    routes: new Map([
      ['/hook', async (each: HttpRequest) => (received.push(each), 204)],
      ['/broken', async () => Promise.reject(new Error('defect'))],
    ]),
  })
})
afterEach(() => server.close())

const url = (path: string): string => `http://${server.address}${path}`
const post = (path: string, body: string): Promise<Response> => fetch(url(path), { method: 'POST', body })

it('gives a route the very bytes and headers that came, and answers with its status alone', async () => {
  const response = await fetch(url('/hook?a=b'), {
    method: 'POST',
    body: Buffer.from([0xff, 0x00, 0x7b]),
    headers: { 'X-Event': 'push' },
  })
  expect(response.status).toBe(204)
  expect(received[0]?.body).toEqual(Buffer.from([0xff, 0x00, 0x7b]))
  expect(received[0]?.header('x-event')).toBe('push')
})

it('answers 404 to other paths, 405 to other methods and 500 to a defect, without a word', async () => {
  expect((await post('/else', '')).status).toBe(404)
  const got = await fetch(url('/hook'))
  expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
  const broken = await post('/broken', '')
  expect([broken.status, await broken.text()]).toEqual([500, ''])
})

it('takes a body of 1 MiB and refuses a longer one by its length', async () => {
  expect((await post('/hook', 'x'.repeat(1024 * 1024))).status).toBe(204)
  expect((await post('/hook', 'x'.repeat(1024 * 1024 + 1))).status).toBe(413)
})

it('refuses a longer body that says no length, before it has all of it', async () => {
  const status = await new Promise((resolve) => {
    const sending = request(url('/hook'), { method: 'POST' }, (response) => resolve(response.statusCode))
    sending.on('error', () => undefined)
    const send = (): void =>
      void sending.write('x'.repeat(64 * 1024), (error) => !error && setImmediate(send))
    send()
  })
  expect(status).toBe(413)
  expect(received).toEqual([])
})

it('ends at once while a caller still sends', async () => {
  const [host = '', port] = server.address.split(':')
  const socket = connect(Number(port), host)
  socket.on('error', () => undefined)
  socket.write('POST /hook HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc')
  await new Promise((resolve) => setTimeout(resolve, 50))
  await expect(server.close()).resolves.toBeUndefined()
})

it('says which address is taken', async () => {
  const taken = startHttpServer({
    listen: server.address,
    tls: null,
    routes: new Map(),
    logger: pino({ level: 'silent' }),
  })
  await expect(taken).rejects.toThrow(`listening for webhooks on ${server.address}: EADDRINUSE`)
})
