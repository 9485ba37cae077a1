import pino from 'pino'
import { expect, test } from 'vitest'
import type { Outcome } from './analysis/outcome.ts'
import { createMeasuring } from './measuring.ts'
import type { Measuring } from './measuring.ts'
import type { Decision } from './rollout/decision.ts'
import type { RolloutEvent } from './rollout/events.ts'

type Wanted = Decision['measures'][number]

function wanted(name: string): Wanted {
  const provider = { kind: 'named', check: name } as const
  return { rolloutId: 'edge.1', wave: 'canary', analysis: { name, provider, intervalMs: 1, failureLimit: 0 } }
}

type World = {
  readonly measuring: Measuring
  readonly started: string[]
  readonly submitted: RolloutEvent[]
  readonly end: (name: string, outcome: Outcome | Error) => Promise<void>
  readonly stop: AbortController
  refuse: Error | null
}

function createWorld(): World {
  const started: string[] = []
  const submitted: RolloutEvent[] = []
  const ends = new Map<string, (outcome: Outcome | Error) => void>()
  const stop = new AbortController()
  const measuring = createMeasuring({
    measure: ({ name }) => {
      started.push(name)
      return new Promise((resolve, reject) => {
        ends.set(name, (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)))
      })
    },
    submit: async (event) => {
      if (world.refuse !== null) throw world.refuse
      submitted.push(event)
    },
    logger: pino({ level: 'silent' }),
    signal: stop.signal,
  })
  const world: World = {
    measuring,
    started,
    submitted,
    stop,
    refuse: null,
    async end(name, outcome) {
      ends.get(name)?.(outcome)
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
  return world
}

const passed: Outcome = { kind: 'Passed', detail: '0' }

test('one measurement of each analysis is under way, however often it is asked for', async () => {
  const world = createWorld()
  world.measuring.want([wanted('a'), wanted('b')])
  world.measuring.want([wanted('a'), wanted('b')])
  expect(world.started).toEqual(['a', 'b'])
  await world.end('a', passed)
  expect(world.submitted).toEqual([
    { kind: 'measured', rolloutId: 'edge.1', wave: 'canary', analysis: 'a', outcome: passed },
  ])
  world.measuring.want([wanted('a'), wanted('b')])
  expect(world.started).toEqual(['a', 'b', 'a'])
})

test('what a measurement decides may ask for the same one again', async () => {
  const world = createWorld()
  world.measuring.want([wanted('a')])
  const { push } = world.submitted
  world.submitted.push = (...events) => {
    world.measuring.want([wanted('a')])
    return push.apply(world.submitted, events)
  }
  await world.end('a', passed)
  expect(world.started).toEqual(['a', 'a'])
})

test('a defect of the adapter is an inconclusive measurement', async () => {
  const world = createWorld()
  world.measuring.want([wanted('a')])
  await world.end('a', new Error('/secret/path'))
  expect(world.submitted).toMatchObject([
    { outcome: { kind: 'Inconclusive', detail: expect.not.stringContaining('secret') } },
  ])
})

test('a loop that takes nothing any more ends nothing', async () => {
  const world = createWorld()
  world.refuse = new Error('lease lost')
  world.measuring.want([wanted('a')])
  await world.end('a', passed)
  world.refuse = null
  world.measuring.want([wanted('a')])
  await world.end('a', passed)
  expect(world.submitted).toHaveLength(1)
})

test('nothing begins after the stop, and no more than 16 are under way', async () => {
  const world = createWorld()
  const many = Array.from({ length: 20 }, (_, index) => wanted(`a${index}`))
  world.measuring.want(many)
  expect(world.started).toHaveLength(16)
  await world.end('a0', passed)
  world.measuring.want(many.slice(1))
  expect(world.started).toHaveLength(17)
  world.stop.abort()
  await world.end('a1', new Error('aborted'))
  world.measuring.want(many)
  expect(world.started).toHaveLength(17)
  expect(world.submitted).toHaveLength(1)
})
