import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startNatsServer } from '../../test/support/nats-server.ts'
import type { NatsServer } from '../../test/support/nats-server.ts'
import { controllerOf } from '../../test/support/nats-users.ts'
import { ControllerError } from '../errors.ts'
import { runLeadership } from './leadership.ts'
import { decideLease } from './lease.ts'
import { connectStore } from './store.ts'
import type { Store } from './store.ts'

const logger = pino({ level: 'silent' })

describe('the decision on a lease', () => {
  const seen = { record: { holder: 'a', term: 3, renewedAt: '' }, revision: 7 }
  const input = { seen, holder: 'b', unchangedForMs: 0, takeAfterMs: 15_000, termFloor: 0 }

  it('is to take one that nobody ever held', () => {
    expect(decideLease({ ...input, seen: null })).toEqual({ kind: 'take', term: 1, expectedRevision: 0 })
  })

  it('is to go on after the highest term known from elsewhere', () => {
    expect(decideLease({ ...input, seen: null, termFloor: 8 })).toMatchObject({ term: 9 })
    expect(decideLease({ ...input, holder: 'a', termFloor: 8 })).toMatchObject({ term: 9 })
    expect(decideLease({ ...input, holder: 'a', termFloor: 2 })).toMatchObject({ term: 4 })
  })

  it('is to wait as long as the holder may still renew it', () => {
    expect(decideLease({ ...input, unchangedForMs: 14_999 })).toEqual({ kind: 'wait' })
    expect(decideLease({ ...input, unchangedForMs: 15_000 })).toEqual({
      kind: 'take',
      term: 4,
      expectedRevision: 7,
    })
  })

  it('is to take at once what is our own or was released', () => {
    expect(decideLease({ ...input, holder: 'a' })).toMatchObject({ kind: 'take', term: 4 })
    const released = { ...seen, record: { ...seen.record, holder: null } }
    expect(decideLease({ ...input, seen: released })).toMatchObject({ kind: 'take', term: 4 })
  })
})

describe('leadership over a real nats-server', () => {
  const timings = { renewEveryMs: 150, stopAfterMs: 600, takeAfterMs: 900, observeEveryMs: 50 }
  let server: NatsServer
  let stores: Store[]
  let events: string[]

  beforeAll(async () => {
    server = await startNatsServer()
  })
  afterAll(() => server.stop())
  beforeEach(() => {
    stores = []
    events = []
  })
  afterEach(async () => {
    for (const store of stores) await store.close()
  })

  async function start(
    holder: string,
    lead?: () => Promise<void>,
    changes: Partial<typeof timings> = {},
  ): Promise<{ stop(): Promise<void> }> {
    const stop = new AbortController()
    const store = await connectStore({ ...(await controllerOf(server)), signal: stop.signal, logger })
    stores.push(store)
    const ended = runLeadership({
      register: store.lease,
      holder,
      logger,
      timings: { ...timings, ...changes },
      signal: stop.signal,
      async lead(term, held) {
        events.push(`${holder} leads ${term}`)
        await lead?.()
        if (!held.aborted)
          await new Promise((resolve) => held.addEventListener('abort', resolve, { once: true }))
        events.push(`${holder} ends ${term}`)
      },
    })
    return {
      async stop() {
        stop.abort()
        await ended
      },
    }
  }

  const soon = { timeout: 60_000, interval: 10 }
  const expectSoon = async (story: RegExp): Promise<void> => {
    await expect.poll(() => events.join('\n'), soon).toMatch(story)
  }

  it('passes at once when the leader releases it, and the term grows', async () => {
    // It would be waited for in vain if the lease had to run out.
    const patient = { stopAfterMs: 300_000, takeAfterMs: 600_000 }
    const first = await start('first', undefined, patient)
    await expectSoon(/first leads/)
    const second = await start('second', undefined, patient)
    await sleep(1_200)
    expect(events).toHaveLength(1)
    await first.stop()
    await expectSoon(/second leads/)
    const [before, after] = events
      .filter((event) => event.includes('leads'))
      .map((event) => Number(event.split(' ')[2]))
    expect(after).toBe((before ?? 0) + 1)
    await second.stop()
  })

  it('is given up by a leader cut off from the server, and is taken again when the server is back', async () => {
    const leader = await start('cut')
    await expectSoon(/cut leads/)
    await server.kill9()
    await expectSoon(/cut ends/)
    await server.restart()
    await expectSoon(/cut leads \d+\ncut ends \d+\ncut leads/)
    await leader.stop()
    expect(events.at(-1)).toMatch(/ends/)
  })

  it('is lost at the next renewal when another wrote the lease', async () => {
    const leader = await start('robbed')
    await expectSoon(/robbed leads/)
    const { signal } = new AbortController()
    const seen = await stores[0]?.lease.read(signal)
    const robber = { holder: 'robber', term: 99, renewedAt: new Date().toISOString() }
    for (let tries = 0; tries < 50; tries += 1) {
      const revision = (await stores[0]?.lease.read(signal))?.revision ?? seen?.revision ?? 0
      const taken = await stores[0]?.lease.write(robber, revision, signal).then(
        () => true,
        () => false,
      )
      if (taken === true) break
    }
    await expectSoon(/robbed ends/)
    await expectSoon(/robbed leads 100/)
    await leader.stop()
    expect(events.at(-1)).toMatch(/ends/)
  })

  it('ends one term on an operating error and leads on in the next', async () => {
    let failures = 0
    const leader = await start('failing', () => {
      failures += 1
      return failures === 1
        ? Promise.reject(new ControllerError('StoreNotDurable', 'once'))
        : Promise.resolve()
    })
    await expectSoon(/failing leads \d+\nfailing leads/)
    await leader.stop()
    expect(events.at(-1)).toMatch(/ends/)
  })
})
