import { request } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { normalStatus } from '../../test/support/dashboard.ts'
import { openWebFor, readingOf, startWebWorld } from '../../test/support/web-page.ts'
import type { WebWorld } from '../../test/support/web-page.ts'

let world: WebWorld
let web: { readonly url: string; close(): Promise<void> }

beforeEach(async () => {
  world = await startWebWorld({ pace: { leastMs: 1, mostMs: 20, ageMs: 600_000 } })
  world.onRead = (place) => readingOf(normalStatus(), place)
  web = await openWebFor(world)
})
afterEach(async () => {
  await web.close()
  await world.close()
})

function statusOf(path: string, options: { method?: string; host?: string } = {}): Promise<number> {
  const { port, host } = new URL(web.url)
  return new Promise((resolve, reject) => {
    const { method = 'GET' } = options
    const asking = request({ host: '127.0.0.1', port, path, method, headers: { host: options.host ?? host } })
    asking.on('error', reject)
    asking.on('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    asking.end()
  })
}
const token = (): string => new URL(web.url).pathname

it('hands on the page of the controller with its policy, as the operator of the context', async () => {
  const answer = await fetch(web.url)
  expect([answer.status, await answer.text()]).toEqual([200, '<p>page</p>'])
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(answer.headers.get('cache-control')).toBe('no-store')
})

it('hands on events as they come, and ends the stream at the controller when the page is closed', async () => {
  const over = new AbortController()
  const { body } = await fetch(`${web.url}events?fleet=edge`, { signal: over.signal })
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader?.read())?.value).toContain('event: reading')
  expect(world.listening()).toBe(1)
  over.abort()
  await expect.poll(() => world.listening()).toBe(0)
})

it('answers to nobody without the token, and to no other name, method or path', async () => {
  const { port } = new URL(web.url)
  expect(await statusOf(token())).toBe(200)
  expect(await statusOf(token(), { host: `localhost:${port}` })).toBe(200)
  expect(await statusOf('/')).toBe(403)
  expect(await statusOf(`${token().slice(0, -2)}x/`)).toBe(403)
  expect(await statusOf(token(), { host: `evil.example:${port}` })).toBe(403)
  expect(await statusOf(token(), { host: '127.0.0.1' })).toBe(403)
  expect(await statusOf(token(), { method: 'POST' })).toBe(405)
  expect(await statusOf(`${token()}..%2f`)).toBe(404)
  expect(await statusOf(token().slice(0, -1))).toBe(404)
})

it('says what is wrong when the controller is away or is none', async () => {
  await world.close()
  const away = await fetch(web.url)
  expect([away.status, await away.text()]).toEqual([502, expect.stringContaining('does not answer')])
})

it('sends nothing to a server that another CA calls the controller', async () => {
  const other = await startWebWorld()
  const mixed = { ...other, authority: world.authority, operator: world.operator, server: other.server }
  const opened = await openWebFor(mixed)
  try {
    const refused = await fetch(opened.url)
    expect([refused.status, await refused.text()]).toEqual([502, expect.stringContaining('does not answer')])
  } finally {
    await opened.close()
    await other.close()
  }
})
