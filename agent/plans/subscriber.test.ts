import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PLAN_STREAM, planSubject } from '../../proto/subjects.ts'
import { jetstreamManager } from '@nats-io/jetstream'
import { openTestNats } from '../../test/support/plan-stream.ts'
import type { TestNats } from '../../test/support/plan-stream.ts'
import { openNatsConnection } from './nats-connection.ts'
import { subscribePlans } from './subscriber.ts'

const HOST_ID = 'a'.repeat(26)
const log = pino({ level: 'silent' })

describe('a subscriber', () => {
  let nats: TestNats
  let stop: AbortController
  let seen: string[]
  let running: Promise<void>[]

  beforeEach(async () => {
    nats = await openTestNats()
    stop = new AbortController()
    seen = []
    running = []
  })

  afterEach(async () => {
    stop.abort()
    await Promise.all(running)
    await nats.close()
  })

  async function subscribe(refreshMs?: number): Promise<void> {
    const connection = await openNatsConnection({ url: nats.url, name: 'test' })
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
    nats.connection.publish(planSubject(hostId), text)
    await nats.connection.flush()
  }

  it('delivers what is published, and nothing of another host', async () => {
    await subscribe()
    await publish('for another', 'b'.repeat(26))
    await publish('for me')
    await vi.waitFor(() => expect(seen).toContain('for me'))
    expect(seen).not.toContain('for another')
  })

  it('gets the last of what was published before it came', async () => {
    await publish('old')
    await publish('new')
    await subscribe()
    await vi.waitFor(() => expect(seen).toEqual(['new']))
  })

  it('uses no consumer', async () => {
    await subscribe()
    await publish('x')
    await vi.waitFor(() => expect(seen).toContain('x'))
    const manager = await jetstreamManager(nats.connection)
    expect((await manager.streams.info(PLAN_STREAM)).state.consumer_count).toBe(0)
  })

  it('comes back when the server was killed, and gets what it missed', async () => {
    await publish('before')
    await subscribe()
    await vi.waitFor(() => expect(seen).toEqual(['before']))
    await nats.kill()
    await nats.start()
    await vi.waitFor(() => publish('after'), 20_000)
    await vi.waitFor(() => expect(seen).toContain('after'), 20_000)
    seen.length = 0
    await publish('later')
    await vi.waitFor(() => expect(seen).toContain('later'))
  })

  it('looks at the stream now and then although nothing happens', async () => {
    await publish('x')
    await subscribe(50)
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(3), 5_000)
  })

  it('waits for a stream that is not there yet', async () => {
    const manager = await jetstreamManager(nats.connection)
    await manager.streams.delete(PLAN_STREAM)
    await subscribe()
    await delay(100)
    await manager.streams.add({ name: PLAN_STREAM, subjects: ['plan.*'], allow_direct: true })
    await publish('x')
    await vi.waitFor(() => expect(seen).toContain('x'), 10_000)
  })
})
