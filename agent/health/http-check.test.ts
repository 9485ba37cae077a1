import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { httpCheck } from './http-check.ts'

let server: Server
let address: string
let status: number | null

beforeEach(async () => {
  status = 200
  server = createServer((_request, response) => {
    if (status === null) return
    response.writeHead(status, { location: '/elsewhere' }).end('x')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/up`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const signal = new AbortController().signal

it.each([200, 204, 302, 399])('an address that answers %s is well', async (answer) => {
  status = answer
  expect(await httpCheck(address).run(signal)).toEqual({ kind: 'passed' })
})

it.each([400, 503])('an address that answers %s is not', async (answer) => {
  status = answer
  const check = httpCheck(address)
  expect(check.name).toBe(`http:${address}`)
  expect(await check.run(signal)).toEqual({ kind: 'failed', detail: `status ${answer}`, final: false })
})

it('an address where nobody listens is told by its reason', async () => {
  const outcome = await httpCheck('http://127.0.0.1:1/').run(signal)
  expect(outcome).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/ECONNREFUSED/) as string })
})

it('an address that does not answer is given up with its run', async () => {
  status = null
  const stop = new AbortController()
  const running = httpCheck(address).run(stop.signal)
  setTimeout(() => stop.abort(), 50)
  expect(await running).toMatchObject({ kind: 'failed', final: false })
})
