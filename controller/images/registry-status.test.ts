import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createRegistryClient } from './registry-client.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function resolve(host: string) {
  const client = createRegistryClient({ plainHttpHosts: [host] })
  try {
    const image = { kind: 'tag', repository: `${host}/os/edge`, tag: 'stable', minimumAgeMs: 0 } as const
    return await client.resolve(image, new AbortController().signal)
  } finally {
    await client.close()
  }
}

test.each([
  [401, 'RegistryDenied'],
  [403, 'RegistryDenied'],
  [404, 'ImageNotFound'],
  [429, 'RegistryRateLimited'],
  [500, 'RegistryUnreachable'],
  [503, 'RegistryUnreachable'],
  [400, 'RegistryUnreachable'],
])('status %i is %s', async (status, code) => {
  const host = await serve((_, response) => void response.writeHead(status).end())
  await expect(resolve(host)).rejects.toMatchObject({ code, retryAfterMs: undefined })
})

test('how long the registry asks to wait is passed on, in seconds or as a date', async () => {
  const after = (value: string) =>
    serve((_, response) => void response.writeHead(429, { 'retry-after': value }).end())
  await expect(resolve(await after('30'))).rejects.toMatchObject({ retryAfterMs: 30_000 })
  await expect(resolve(await after('soon'))).rejects.toMatchObject({ retryAfterMs: undefined })
  const failed: unknown = await resolve(await after(new Date(Date.now() + 60_000).toUTCString())).catch(
    (error: unknown) => error,
  )
  expect((failed as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(50_000)
})

test('an abort ends a request that gets no answer', async () => {
  const host = await serve(() => undefined)
  const stop = new AbortController()
  const client = createRegistryClient({ plainHttpHosts: [host] })
  const asking = client.resolve(
    { kind: 'tag', repository: `${host}/a`, tag: 'b', minimumAgeMs: 0 },
    stop.signal,
  )
  setTimeout(() => stop.abort(new Error('shutting down')), 50)
  await expect(asking).rejects.toThrow('shutting down')
  await client.close()
})
