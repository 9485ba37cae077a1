import { describe, expect, it } from 'vitest'
import { runChecks } from './run-checks.ts'
import type { CheckOutcome, HealthRun } from './run-checks.ts'

const passed: CheckOutcome = { kind: 'passed' }
const notYet: CheckOutcome = { kind: 'failed', detail: 'exit status 1: not yet', final: false }

function healthRun(outcomes: (name: string, call: number) => CheckOutcome, changes: Partial<HealthRun> = {}) {
  const calls: string[] = []
  const noted: string[] = []
  const run: HealthRun = {
    checks: ['web-up', 'disk-ok'].map((name) => ({
      name,
      run: async () => {
        calls.push(name)
        return outcomes(name, calls.filter((called) => called === name).length)
      },
    })),
    stableForMs: 0,
    deadlineMs: 60_000,
    intervalMs: 10,
    onNoted: (name, detail) => noted.push(`${name}: ${detail}`),
    signal: new AbortController().signal,
    ...changes,
  }
  return { run, calls, noted }
}

describe('health', () => {
  it('passes when every check passes', async () => {
    const { run, calls } = healthRun(() => passed)
    expect(await runChecks(run)).toEqual([])
    expect(calls).toEqual(['web-up', 'disk-ok'])
  })

  it('passes when only what is wanted failed, and says so', async () => {
    const { run, noted } = healthRun((name) =>
      name === 'web-up' ? { kind: 'noted', detail: 'exit status 1' } : passed,
    )
    expect(await runChecks(run)).toEqual([])
    expect(noted).toEqual(['web-up: exit status 1'])
  })

  it('gives a check time to come up', async () => {
    const { run } = healthRun((name, call) => (name === 'web-up' && call < 4 ? notYet : passed))
    expect(await runChecks(run)).toEqual([])
  })

  it('must last, and starts over when it did not', async () => {
    const startedAtMs = performance.now()
    const { run } = healthRun((_name, call) => (call === 3 ? notYet : passed), { stableForMs: 60 })
    expect(await runChecks(run)).toEqual([])
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(75)
  })

  it('fails at the deadline with the checks that did not pass', async () => {
    const { run } = healthRun((name) => (name === 'disk-ok' ? notYet : passed), { deadlineMs: 300 })
    expect(await runChecks(run)).toEqual([{ name: 'disk-ok', detail: 'exit status 1: not yet' }])
  })

  it('fails at the deadline when it never lasted', async () => {
    const { run } = healthRun(() => passed, { deadlineMs: 300, stableForMs: 60_000 })
    expect(await runChecks(run)).toMatchObject([{ name: 'stable' }])
  })

  it('fails at once when trying again cannot help', async () => {
    const missing: CheckOutcome = { kind: 'failed', detail: 'the image has no such program', final: true }
    const { run, calls } = healthRun((name) => (name === 'web-up' ? missing : passed), { deadlineMs: 60_000 })
    expect(await runChecks(run)).toEqual([{ name: 'web-up', detail: 'the image has no such program' }])
    expect(calls).toHaveLength(2)
  })

  it('fails without running anything when the deadline has passed', async () => {
    const { run, calls } = healthRun(() => passed, { deadlineMs: 0 })
    expect(await runChecks(run)).toMatchObject([{ name: 'stable' }])
    expect(calls).toEqual([])
  })

  it('ends a check that hangs at the deadline', async () => {
    const { run } = healthRun(() => passed, {
      checks: [
        {
          name: 'hangs',
          run: (signal) =>
            new Promise((_resolve, reject) =>
              signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true }),
            ),
        },
        { name: 'never-came-to', run: () => Promise.resolve(passed) },
      ],
      deadlineMs: 300,
    })
    expect(await runChecks(run)).toEqual([
      { name: 'hangs', detail: 'no end before the deadline' },
      { name: 'never-came-to', detail: 'not run before the deadline' },
    ])
  })

  it('names what failed before when the deadline comes while checks run, and none that had passed', async () => {
    const hangsAfter = (first: CheckOutcome) => {
      let calls = 0
      return (signal: AbortSignal): Promise<CheckOutcome> => {
        calls += 1
        if (calls === 1) return Promise.resolve(first)
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
    }
    const checksOf = (webUp: CheckOutcome) => [
      { name: 'unit:ssh', run: hangsAfter(passed) },
      { name: 'web-up', run: hangsAfter(webUp) },
    ]
    const { run } = healthRun(() => passed, { checks: checksOf(notYet), deadlineMs: 200 })
    expect(await runChecks(run)).toEqual([{ name: 'web-up', detail: 'exit status 1: not yet' }])
    const all = { checks: checksOf(passed), deadlineMs: 200, stableForMs: 60_000 }
    const unproven = await runChecks(healthRun(() => passed, all).run)
    expect(unproven.map(({ name }) => name)).toEqual(['stable'])
  })

  it('takes an error of the driver for a failed check, shortened', async () => {
    const check = { name: 'web-up', run: () => Promise.reject(new Error('x'.repeat(400))) }
    const { run } = healthRun(() => passed, { checks: [check, check], deadlineMs: 300 })
    const failed = await runChecks(run)
    expect(failed.map(({ detail }) => detail.length)).toEqual([256, 256])
  })

  it('passes without checks once it was stable', async () => {
    const { run } = healthRun(() => notYet, { checks: [], stableForMs: 50 })
    expect(await runChecks(run)).toEqual([])
  })

  it('gives no verdict when it is stopped', async () => {
    const stop = new AbortController()
    const { run } = healthRun(() => notYet, { signal: stop.signal, deadlineMs: 60_000 })
    const running = runChecks(run)
    stop.abort()
    await expect(running).rejects.toThrow(/abort/)
  })
})
