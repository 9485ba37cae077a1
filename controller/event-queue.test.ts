import { describe, expect, it } from 'vitest'
import { EventQueue } from './event-queue.ts'
import type { RolloutEvent } from './rollout/events.ts'

const { signal } = new AbortController()
const connection = (hostId: string, connected: boolean): RolloutEvent => ({
  kind: 'connection',
  hostId,
  connected,
})
const pause = (reason: string): RolloutEvent => ({ kind: 'pause', rolloutId: 'edge.1', actor: 'kim', reason })

describe('the event queue', () => {
  it('keeps the newest state of one host in the place of the first, and tells both who submitted', async () => {
    const queue = new EventQueue()
    const submitted = [
      queue.submit(connection('a', true)),
      queue.submit(connection('b', true)),
      queue.submit(connection('a', false)),
    ]
    const first = queue.take()
    expect(first?.event).toEqual(connection('a', false))
    for (const waiter of first?.waiters ?? []) waiter.resolve()
    await Promise.all([submitted[0], submitted[2]])
    expect(queue.take()?.event).toEqual(connection('b', true))
    expect(queue.take()).toBeNull()
  })

  it('drops no verb', () => {
    const queue = new EventQueue()
    void queue.submit(pause('one'))
    void queue.submit(pause('two'))
    expect([queue.take()?.event, queue.take()?.event]).toEqual([pause('one'), pause('two')])
  })

  it('puts back at the front, unless a newer state arrived meanwhile', async () => {
    const queue = new EventQueue()
    void queue.submit(pause('one'))
    void queue.submit(pause('two'))
    const taken = queue.take()
    if (taken !== null) queue.putBack(taken)
    expect(queue.take()?.event).toEqual(pause('one'))

    const old = new EventQueue()
    const submitted = old.submit(connection('a', true))
    const stale = old.take()
    void old.submit(connection('a', false))
    if (stale !== null) old.putBack(stale)
    const newest = old.take()
    expect(newest?.event).toEqual(connection('a', false))
    for (const waiter of newest?.waiters ?? []) waiter.resolve()
    await submitted
  })

  it('wakes who waits when something is submitted, when time is up, and when it is stopped', async () => {
    const queue = new EventQueue()
    const waiting = queue.wait(null, signal)
    void queue.submit(pause('one'))
    await waiting
    expect(queue.take()).not.toBeNull()
    await queue.wait(1, signal)
    const stop = new AbortController()
    const stopped = queue.wait(null, stop.signal)
    stop.abort()
    await expect(stopped).resolves.toBeUndefined()
  })

  it('rejects all that wait', async () => {
    const queue = new EventQueue()
    const submitted = queue.submit(pause('one'))
    queue.close(new Error('over'))
    await expect(submitted).rejects.toThrow('over')
    expect(queue.take()).toBeNull()
  })
})
