import pino from 'pino'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { EngineLoop } from './engine-loop.ts'

const minuteMs = 60_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('plans are renewed every hour although nothing changes, and those that were left a second later', async () => {
  const written = [500, 1, 0, 0]
  const renewedAfterMinutes: number[] = []
  const beganAtMs = performance.now()
  const loop = new EngineLoop({
    store: {
      load: async () => ({
        everyFleet: null,
        fleets: [],
        rollouts: [],
        grants: [],
        hosts: [],
        enrolments: [],
      }),
      commit: async () => undefined,
    },
    openPublisher: async () => ({
      newestTerm: 0,
      publish: async () => 0,
      async renew() {
        renewedAfterMinutes.push(Math.floor((performance.now() - beganAtMs) / minuteMs))
        return written.shift() ?? 0
      },
      forget: () => undefined,
      catchUp: async () => 0,
    }),
    term: 1,
    logger: pino({ level: 'silent' }),
    onChange: () => undefined,
    onMeasures: () => undefined,
    onNewerTerm: () => undefined,
    connectedHosts: () => [],
  })
  const stop = new AbortController()
  const ended = loop.run(stop.signal)

  await vi.advanceTimersByTimeAsync(59 * minuteMs)
  expect(renewedAfterMinutes).toEqual([])
  await vi.advanceTimersByTimeAsync(2 * minuteMs)
  expect(renewedAfterMinutes).toEqual([60, 60, 60])
  await vi.advanceTimersByTimeAsync(60 * minuteMs)
  expect(renewedAfterMinutes).toEqual([60, 60, 60, 120])

  stop.abort()
  await ended
})
