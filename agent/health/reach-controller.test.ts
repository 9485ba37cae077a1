import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTestAuthority } from '../testing/certificates.ts'
import type { TestAuthority } from '../testing/certificates.ts'
import { reachController } from './reach-controller.ts'
import type { Peers } from './reach-controller.ts'

const HOST_ID = 'a'.repeat(26)
const signal = new AbortController().signal
/** Nothing listens there. */
const NOWHERE = '127.0.0.1:1'

describe('the network', () => {
  let authority: TestAuthority
  let servers: Server[]
  let sockets: Socket[]

  beforeEach(() => {
    authority = openTestAuthority()
    servers = []
    sockets = []
  })

  afterEach(async () => {
    // A server that never reads does not see that its peer has gone.
    for (const socket of sockets) socket.destroy()
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    authority.close()
  })

  async function listen(server: Server): Promise<string> {
    servers.push(server)
    server.on('connection', (socket) => sockets.push(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  function serve(as: Parameters<TestAuthority['issue']>[0]): Promise<string> {
    const { keyPem: key, certificatePem: cert } = authority.issue(as)
    return listen(createTlsServer({ key, cert, ALPNProtocols: ['h2'] }, (socket) => socket.end()))
  }

  function peers(changes: Partial<Peers>): Peers {
    const own = authority.issue({ kind: 'host', hostId: HOST_ID })
    return {
      credentials: () => ({ ...own, caPem: authority.caPem }),
      controller: NOWHERE,
      serverName: 'bootfleet-controller',
      natsUrl: `nats://${NOWHERE}`,
      repository: `${NOWHERE}/os/edge`,
      ...changes,
    }
  }

  const run = (changes: Partial<Peers>, graceMs = 60_000) =>
    reachController(peers(changes), { graceMs }).run(signal)

  it('is there when the controller proves itself', async () => {
    expect(await run({ controller: await serve({ kind: 'controller' }) })).toEqual({ kind: 'passed' })
  })

  it('is not there when somebody else answers in its place', async () => {
    const controller = await serve({ kind: 'host', hostId: HOST_ID })
    expect(await run({ controller })).toMatchObject({
      kind: 'failed',
      detail: expect.stringContaining('it is not the controller') as string,
    })
  })

  it('is there when NATS proves itself', async () => {
    const address = await serve({ kind: 'nats' })
    expect(await run({ natsUrl: `nats://user:secret@${address}` })).toEqual({ kind: 'passed' })
  })

  it('is not there when a host answers in the place of NATS', async () => {
    expect(await run({ natsUrl: await serve({ kind: 'host', hostId: HOST_ID }) })).toMatchObject({
      kind: 'failed',
      detail: expect.stringContaining('the server is not NATS') as string,
    })
  })

  it('is not there when a port only opens', async () => {
    const address = await listen(createServer((socket) => socket.end()))
    expect(await run({ natsUrl: address })).toMatchObject({ kind: 'failed', final: false })
  })

  it('is lost when nobody answered for the whole grace', async () => {
    expect(await run({})).toMatchObject({
      kind: 'failed',
      final: false,
      detail: expect.stringMatching(/controller .*ECONNREFUSED.*; NATS .*; registry /) as string,
    })
    expect(await run({}, 0)).toMatchObject({ kind: 'failed', final: true })
  })

  it('that was there once is not asked for again', async () => {
    const controller = await serve({ kind: 'controller' })
    const check = reachController(peers({ controller }), { graceMs: 0 })
    expect(await check.run(signal)).toEqual({ kind: 'passed' })
    const [server] = servers.splice(0)
    await new Promise((resolve) => server?.close(resolve))
    expect(await check.run(signal)).toEqual({ kind: 'passed' })
  })
})
