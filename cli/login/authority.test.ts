import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { pinnedAuthority } from './authority.ts'

let server: Server

beforeEach(async () => {
  server = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(() => void server.close())

it('a login at a server that says nothing ends when the person interrupts it', async () => {
  const { port } = server.address() as AddressInfo
  const interruption = new AbortController()
  server.once('connection', () => interruption.abort())
  const pin = { kind: 'fingerprint', sha256: '0'.repeat(64) } as const
  await expect(pinnedAuthority(pin, `127.0.0.1:${port}`, interruption.signal)).rejects.toThrow('interrupted')
})
