import { afterEach, beforeEach, expect, it } from 'vitest'
import { PollLoop } from './poll-loop.ts'

let turns: boolean[]
let ending: AbortController
let ended: Promise<void>
let release: () => void

beforeEach(() => {
  turns = []
  ending = new AbortController()
  release = () => undefined
})
afterEach(async () => {
  ending.abort()
  release()
  await ended
})

function start(delayMs: number): PollLoop {
  const loop = new PollLoop(async (atOnce) => {
    turns.push(atOnce)
    return delayMs
  })
  ended = loop.run(ending.signal)
  return loop
}

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))

it('takes turns at the delay that each asks for', async () => {
  start(5)
  await expect.poll(() => turns.length).toBeGreaterThan(2)
  expect(turns).not.toContain(true)
})

it('takes a turn at once for who asks, and one for many who ask together', async () => {
  const loop = start(3_600_000)
  await rest()
  await Promise.all(Array.from({ length: 20 }, () => loop.sync()))
  expect(turns).toEqual([false, true])
})

it('serves who asks during a turn by one that begins after it', async () => {
  const loop = new PollLoop(async (atOnce) => {
    turns.push(atOnce)
    await new Promise<void>((resolve) => (release = resolve))
    return 3_600_000
  })
  ended = loop.run(ending.signal)
  let served = false
  const asked = loop.sync().then(() => (served = true))
  release()
  await rest()
  expect(served).toBe(false)
  release()
  await asked
  expect(turns).toEqual([false, true])
})

it('needs no more memory for a thousand wakes than for one', async () => {
  const loop = start(3_600_000)
  await rest()
  for (let wakes = 0; wakes < 1000; wakes += 1) loop.wake()
  await rest()
  expect(turns.length).toBeLessThanOrEqual(3)
})

it('answers who asks after it ended', async () => {
  const loop = start(3_600_000)
  ending.abort()
  await ended
  await expect(loop.sync()).resolves.toBeUndefined()
})

it('ends with what a turn throws, and leaves nobody waiting', async () => {
  const loop = new PollLoop(async () => Promise.reject(new Error('defect')))
  const asked = loop.sync()
  await expect(loop.run(ending.signal)).rejects.toThrow('defect')
  await asked
  ended = Promise.resolve()
})
