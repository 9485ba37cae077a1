import { pino } from 'pino'
import { expect, test } from 'vitest'
import { watchEtc } from './etc-watch.ts'
import type { EtcChanges } from './hosts/host-driver.ts'
import type { TakenEtc } from './report/report.ts'

const changed = (...paths: readonly string[]): EtcChanges => ({
  kind: 'known',
  changes: paths.map((path) => ({ path, kind: 'changed' })),
  more: 0,
})
const log = pino({ level: 'silent' })
const never = new AbortController().signal

/** Looks that find these one after the other, a minute apart by the clock. */
async function toldOf(found: readonly (EtcChanges | null)[], tellEveryMs: number): Promise<TakenEtc[]> {
  const looks = [...found]
  const told: TakenEtc[] = []
  const stop = new AbortController()
  let minutes = 0
  const driver = {
    etcChanges: async (): Promise<EtcChanges> => {
      const look = looks.shift()
      if (look === undefined) stop.abort()
      if (look == null) throw new Error('busy')
      return look
    },
  }
  const now = () => (minutes += 1) * 60_000
  const onEtc = (etc: TakenEtc) => void told.push(etc)
  const watch = watchEtc({ driver, onEtc, lookEveryMs: 1, tellEveryMs, now, log }, stop.signal)
  await expect.poll(() => stop.signal.aborted).toBe(true)
  await watch.end()
  return told
}

test('what changed in /etc is told at once, when it is something else, and again after a long while', async () => {
  const [one, two] = [changed('motd'), changed('motd', 'hosts')]
  const told = await toldOf([one, one, null, two, two, two, two], 3 * 60_000)
  expect(told).toEqual([
    { found: one, takenAtMs: 60_000 },
    { found: two, takenAtMs: 180_000 },
    { found: two, takenAtMs: 360_000 },
  ])
})

test('a clock that was set back does not keep it from being told', async () => {
  const told: TakenEtc[] = []
  const times = [10_000_000, 1]
  const driver = { etcChanges: async () => changed('motd') }
  const onEtc = (etc: TakenEtc) => void told.push(etc)
  const now = () => times.shift() ?? 1
  const watch = watchEtc({ driver, onEtc, lookEveryMs: 1, tellEveryMs: 5_000, now, log }, never)
  await expect.poll(() => told.map(({ takenAtMs }) => takenAtMs)).toEqual([10_000_000, 1])
  await watch.end()
})

test('a look that is ended half-way is waited for, and tells nothing', async () => {
  const told: TakenEtc[] = []
  let reads = 0
  const driver = {
    etcChanges: (signal: AbortSignal) =>
      new Promise<EtcChanges>((resolve) => {
        reads += 1
        signal.addEventListener('abort', () => {
          reads -= 1
          resolve({ kind: 'unknown', problem: 'stopped' })
        })
      }),
  }
  const onEtc = (etc: TakenEtc) => void told.push(etc)
  const watch = watchEtc({ driver, onEtc, lookEveryMs: 1, tellEveryMs: 1, now: () => 0, log }, never)
  await watch.end()
  await watch.end()
  expect([reads, told]).toEqual([0, []])
})

test('a reader that does not stop holds no reboot back', async () => {
  const driver = { etcChanges: () => new Promise<EtcChanges>(() => {}) }
  const onEtc = (): void => {}
  const watch = watchEtc(
    { driver, onEtc, lookEveryMs: 1, tellEveryMs: 1, now: Date.now, log, endWithinMs: 10 },
    never,
  )
  await expect(watch.end()).resolves.toBeUndefined()
})
