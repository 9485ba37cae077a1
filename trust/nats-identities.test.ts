import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, createInbox, jwtAuthenticator } from '@nats-io/transport-node'
import { createUser } from '@nats-io/nkeys'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openTestAuthority } from '../agent/testing/certificates.ts'
import type { TestAuthority } from '../agent/testing/certificates.ts'
import { natsTls } from '../proto/nats-tls.ts'
import type { TlsCredentials } from '../proto/nats-tls.ts'
import { inboxOf } from '../proto/subjects.ts'
import { openNatsBench } from '../test/support/nats-bench.ts'
import type { NatsBench } from '../test/support/nats-bench.ts'
import { controllerOf } from '../test/support/nats-users.ts'
import { mintHostUser, mintOwnUser, parseSigner } from './nats-keys.ts'
import type { NatsSigner } from './nats-keys.ts'
import { resignAccounts } from './nats-resign.ts'

const [hostA, hostB] = ['a'.repeat(26), 'b'.repeat(26)] as const
const patient = { timeout: 60_000, interval: 50 }
let authority: TestAuthority
let bench: NatsBench

beforeAll(async () => {
  authority = openTestAuthority()
  bench = await openNatsBench({ importCa: authority.files })
  await bench.publish(hostA, 'plan of a')
  await bench.publish(hostB, 'plan of b')
}, 60_000)
afterAll(async () => {
  await bench.close()
  authority.close()
})
afterEach(() => bench.closeHosts())

const trusted = (...path: readonly string[]): string => join(bench.server.trustDir, ...path)

describe('the certificate of a client', () => {
  const issued = (hostId: string, from = authority): TlsCredentials => ({
    ...from.issue({ kind: 'host', hostId }),
    caPem: authority.caPem,
  })

  it('gives nothing that the JWT does not: that of one host with the user of another reads as the user', async () => {
    const host = await bench.connectHost(hostB, { credentials: issued(hostA) })
    expect((await host.request(`$JS.API.DIRECT.GET.PLAN.plan.${hostB}`)).string()).toBe('plan of b')
    host.subscribe(`plan.${hostA}`, { callback: () => {} })
    host.publish(`$JS.API.DIRECT.GET.PLAN.plan.${hostA}`, '')
    await expect.poll(() => bench.violations(host).join(), patient).toMatch(/Subscription[^]*Publish/)
  })

  it('alone opens nothing', async () => {
    const credentials = issued(hostA)
    const tls = natsTls(() => credentials)
    const attempt = connect({ servers: bench.server.url, tls, maxReconnectAttempts: 0 })
    await expect(attempt).rejects.toThrow(/Auth/i)
  })

  it('must be there, and be of this CA, before a word is said', async () => {
    const stranger = openTestAuthority()
    try {
      const foreign = bench.connectHost(hostA, { credentials: issued(hostA, stranger) })
      await expect(foreign).rejects.toThrow(/alert|unknown ca/i)
    } finally {
      stranger.close()
    }
    const user = createUser()
    const jwt = await bench.userFor(hostA, user.getPublicKey(), Date.now())
    const bare = { handshakeFirst: true, ca: authority.caPem }
    const authenticator = jwtAuthenticator(jwt, user.getSeed())
    const attempt = connect({ servers: bench.server.url, tls: bare, authenticator, maxReconnectAttempts: 0 })
    await expect(attempt).rejects.toThrow(/alert|certificate required/i)
  })

  it('of a host does not make its holder the server, for hosts or for the controller', async () => {
    const { keyPem: key, certificatePem: cert } = authority.issue({ kind: 'host', hostId: hostA })
    const impostor = createServer({ key, cert }, (socket) => socket.on('error', () => {}).end('INFO {}\r\n'))
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve))
    const address = impostor.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    try {
      const credentials = issued(hostB)
      const tls = natsTls(() => credentials)
      const attempt = connect({ servers: `127.0.0.1:${port}`, tls, maxReconnectAttempts: 0 })
      await expect(attempt).rejects.toThrow(/the server is not NATS/)
    } finally {
      impostor.close()
    }
  })
})

describe('the controller', () => {
  it('can neither make, change nor delete a stream, nor empty that of the plans', async () => {
    const calls = ['CREATE.X', 'CREATE.PLAN', 'UPDATE.PLAN', 'DELETE.PLAN', 'PURGE.PLAN', 'PURGE.KV_lease']
    const before = await bench.lastSequence()
    for (const call of [...calls, 'MSG.DELETE.PLAN', 'RESTORE.X', 'SNAPSHOT.PLAN', 'NAMES']) {
      const attempt = bench.controller.request(`$JS.API.STREAM.${call}`, '{}', { timeout: 60_000 })
      await expect(attempt).rejects.toThrow(/permission/i)
    }
    expect(await bench.lastSequence()).toBe(before)
  })
})

describe('the identity that makes streams', () => {
  it('reads nothing that is stored, writes nothing and deletes nothing', async () => {
    const path = trusted('provisioner/nats-provisioner.key')
    const signer = parseSigner(await readFile(path, 'utf8'), path)
    const user = await mintOwnUser(signer, 'provisioner', Date.now())
    const { credentials } = await controllerOf(bench.server)
    const inboxPrefix = inboxOf('provisioner')
    const options = { credentials: credentials(), inboxPrefix }
    const provisioner = await bench.connect(user, options)
    const manager = await jetstreamManager(provisioner)
    expect((await manager.streams.info('PLAN')).state.messages).toBe(2)
    const subjects = [
      '$JS.API.STREAM.DELETE.PLAN',
      '$JS.API.STREAM.MSG.GET.PLAN',
      '$JS.API.STREAM.PURGE.PLAN',
    ]
    for (const subject of [
      ...subjects,
      `$JS.API.CONSUMER.CREATE.PLAN.c`,
      `plan.${hostA}`,
      '$KV.lease.leader',
    ]) {
      const before = bench.violations(provisioner).length
      provisioner.publish(subject, '{}', { reply: createInbox(inboxPrefix) })
      await expect
        .poll(() => bench.violations(provisioner).slice(before).join(), patient)
        .toContain(`Publish to "${subject}"`)
    }
  })
})

describe('accounts that are signed anew', () => {
  const resign = (
    revoke: readonly string[],
    nowMs = Date.now(),
    newKeysDir: string | null = null,
  ): Promise<boolean> => {
    const signerFile = trusted('root/nats-accounts.key')
    return resignAccounts({ path: trusted('nats/accounts.conf'), signerFile, revoke, newKeysDir, nowMs })
  }

  it('cut off the user that is revoked and nobody else, and let the host come with another', async () => {
    const key = createUser()
    const jwt = await bench.userFor(hostA, key.getPublicKey(), Date.now())
    const revoked = await bench.connect({ jwt, seed: key.getSeed() }, { inboxPrefix: inboxOf(hostA) })
    const other = await bench.connectHost(hostB)
    expect(await resign([])).toBe(false)
    expect(await resign([key.getPublicKey()])).toBe(true)
    bench.server.reload()
    await revoked.closed()
    await expect(bench.connect({ jwt, seed: key.getSeed() })).rejects.toThrow(/Auth/i)
    expect((await other.request(`$JS.API.DIRECT.GET.PLAN.plan.${hostB}`)).string()).toBe('plan of b')
    expect((await bench.controller.rtt()) >= 0).toBe(true)
    await bench.connectHost(hostA)
  })

  it('forget a revocation when what it revoked has ended by itself', async () => {
    const [early, late] = [createUser().getPublicKey(), createUser().getPublicKey()]
    await resign([early])
    await resign([late], Date.now() + 24 * 60 * 60 * 1000)
    expect(await resign([], Date.now() + 26 * 60 * 60 * 1000)).toBe(true)
    expect(await resign([], Date.now() + 26 * 60 * 60 * 1000)).toBe(false)
    expect(await resign([], Date.now() + 72 * 60 * 60 * 1000)).toBe(true)
  })

  it('are not signed by another key, nor for what is no user', async () => {
    const path = trusted('nats/accounts.conf')
    const signerFile = trusted('controller/nats-hosts.key')
    const options = { path, signerFile, revoke: [], newKeysDir: null, nowMs: Date.now() }
    await expect(resignAccounts(options)).rejects.toThrow(/holds no key that signs NATS accounts/)
    await expect(resign([hostA])).rejects.toThrow(/no public key of a NATS user/)
    const wrong = { ...options, path: trusted('nats/nats-server.conf') }
    await expect(resignAccounts(wrong)).rejects.toThrow(/does not hold an operator and three accounts/)
  })

  it('take the users of stolen keys away at once, and keep what is stored for the new ones', async () => {
    const host = await bench.connectHost(hostA)
    const stolen = trusted('controller/nats-hosts.key')
    const old = parseSigner(await readFile(stolen, 'utf8'), stolen)
    await resign([], Date.now(), trusted('new'))
    bench.server.reload()
    await host.closed()
    const user = createUser()
    const mint = (signer: NatsSigner): Promise<string> =>
      mintHostUser(signer, {
        hostId: hostA,
        publicKey: user.getPublicKey(),
        nowMs: Date.now(),
        lifeMs: 60_000,
      })
    const inboxPrefix = inboxOf(hostA)
    const late = bench.connect({ jwt: await mint(old), seed: user.getSeed() }, { inboxPrefix })
    await expect(late).rejects.toThrow(/Auth/i)
    const path = trusted('new/nats-hosts.key')
    const fresh = parseSigner(await readFile(path, 'utf8'), path)
    const again = await bench.connect({ jwt: await mint(fresh), seed: user.getSeed() }, { inboxPrefix })
    expect((await again.request(`$JS.API.DIRECT.GET.PLAN.plan.${hostA}`)).string()).toBe('plan of a')
  })
})
