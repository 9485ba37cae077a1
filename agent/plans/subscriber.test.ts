import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PLAN_STREAM, planSubject } from '../../proto/subjects.ts'
import { createUser } from '@nats-io/nkeys'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { openAdmin } from '../../test/support/nats-users.ts'
import { openTestNats } from '../../test/support/plan-stream.ts'
import { openTestAuthority } from '../testing/certificates.ts'
import type { TestAuthority } from '../testing/certificates.ts'
import type { TestNats } from '../../test/support/plan-stream.ts'
import { openNatsConnection } from './nats-connection.ts'
import { subscribePlans } from './subscriber.ts'

const HOST_ID = 'a'.repeat(26)
const log = pino({ level: 'silent' })

describe('a subscriber', () => {
  let authority: TestAuthority
  let nats: TestNats
  let stop: AbortController
  let seen: string[]
  let running: Promise<void>[]

  beforeEach(async () => {
    authority = openTestAuthority()
    nats = await openTestNats(authority)
    stop = new AbortController()
    seen = []
    running = []
  })

  afterEach(async () => {
    stop.abort()
    await Promise.all(running)
    await nats.close()
    authority.close()
  })

  async function subscribe(refreshMs?: number): Promise<void> {
    const key = createUser()
    const jwt = await nats.userFor(HOST_ID, key.getPublicKey(), Date.now())
    const material = { ...authority.issue({ kind: 'host', hostId: HOST_ID }), caPem: authority.caPem }
    const connection = await openNatsConnection({
      url: nats.url,
      hostId: HOST_ID,
      user: { jwt: () => jwt, seed: key.getSeed() },
      credentials: () => material,
    })
    const onPlan = (bytes: Uint8Array): void => void seen.push(Buffer.from(bytes).toString())
    const refresh = refreshMs === undefined ? {} : { refreshMs }
    const options = { connection, hostId: HOST_ID, onPlan, log, signal: stop.signal, ...refresh }
    running.push(
      (async () => {
        await subscribePlans(options)
        await connection.close()
      })(),
    )
    await connection.flush()
  }

  async function publish(text: string, hostId = HOST_ID): Promise<void> {
    // Acknowledged: a server that was just started takes messages before it has found its streams.
    await jetstream(nats.connection).publish(planSubject(hostId), text)
  }

  it('delivers what is published, and nothing of another host', async () => {
    await subscribe()
    await publish('for another', 'b'.repeat(26))
    await publish('for me')
    await vi.waitFor(() => expect(seen).toContain('for me'), 90_000)
    expect(seen).not.toContain('for another')
  })

  it('gets the last of what was published before it came', async () => {
    await publish('old')
    await publish('new')
    await subscribe()
    await vi.waitFor(() => expect(new Set(seen)).toEqual(new Set(['new'])), 90_000)
  })

  it('uses no consumer', async () => {
    await subscribe()
    await publish('x')
    await vi.waitFor(() => expect(seen).toContain('x'), 90_000)
    const manager = await jetstreamManager(nats.connection, { checkAPI: false })
    expect((await manager.streams.info(PLAN_STREAM)).state.consumer_count).toBe(0)
  })

  it('comes back when the server was killed, and gets what it missed', async () => {
    await publish('before')
    await subscribe()
    await vi.waitFor(() => expect(seen).toContain('before'), 90_000)
    await nats.kill()
    await nats.restart()
    await vi.waitFor(() => publish('after'), 90_000)
    await vi.waitFor(() => expect(seen).toContain('after'), 90_000)
    seen.length = 0
    await publish('later')
    await vi.waitFor(() => expect(seen).toContain('later'), 90_000)
  })

  it('looks at the stream now and then although nothing happens', async () => {
    await publish('x')
    await subscribe(50)
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(3), 90_000)
  })

  it('looks again soon after it came, for what was published and not yet stored', async () => {
    await publish('x')
    await subscribe()
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(2), 90_000)
  })

  it('waits for a stream that is not there yet', async () => {
    const admin = await openAdmin(nats)
    await (await jetstreamManager(admin)).streams.delete(PLAN_STREAM)
    await admin.close()
    await subscribe()
    await delay(100)
    await nats.provision()
    await publish('x')
    await vi.waitFor(() => expect(seen).toContain('x'), 90_000)
  })
})
