import { describe, expect, it } from 'vitest'
import { acceptedPlan } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { worldIn } from '../testing/world.ts'
import { failureOf } from '../update/transition.ts'
import type { Phase, State } from '../update/types.ts'
import { judgeTrial } from './trial.ts'
import type { Trial } from './trial.ts'

const MINUTE_MS = 60_000
const limits = { agentWithinMs: 5 * MINUTE_MS }
const current = { id: '1-work2', blessed: false, bad: null, triesLeft: 2 }

function stateIn(phase: Phase, bootId = 'boot-2'): State {
  const { disk } = worldIn(phase, acceptedPlan(phase === 'RollingBack' ? '3' : '1'))
  return { ...disk, booted: { ...disk.booted, bootId } }
}

function judge(changes: Partial<Trial>) {
  const trial = { bootId: 'boot-2', current, activatedId: '1-work2', state: null, elapsedMs: 1_000 }
  return judgeTrial({ ...trial, ...changes }, limits).kind
}

describe('a boot', () => {
  it.each([
    ['of no deployment', { current: null }],
    ['of a deployment that has proven itself', { current: { ...current, blessed: true } }],
    [
      'of a deployment that nobody put on trial',
      { current: { ...current, triesLeft: null }, activatedId: null },
    ],
  ])('%s is complete at once', (_what, changes) => {
    expect(judge(changes)).toBe('passed')
  })

  it('waits for the agent to start, and fails when it does not', () => {
    expect(judge({})).toBe('waiting')
    expect(judge({ state: stateIn('Rebooting', 'boot-1') })).toBe('waiting')
    expect(judge({ state: stateIn('Rebooting', 'boot-1'), elapsedMs: 5 * MINUTE_MS })).toBe('failed')
  })

  it.each(['Verifying', 'Blessing', 'RollingBack'] as const)('waits in %s, but not for ever', (phase) => {
    expect(judge({ state: stateIn(phase), elapsedMs: 4 * MINUTE_MS })).toBe('waiting')
    expect(judge({ state: stateIn(phase), elapsedMs: 20 * MINUTE_MS })).toBe('failed')
  })

  it('gives the agent that goes back the time to reboot by itself', () => {
    const bad = { ...current, bad: 'HealthFailed' }
    expect(judge({ state: stateIn('RollingBack'), current: bad, elapsedMs: 6 * MINUTE_MS })).toBe('waiting')
  })

  it('is complete when it is not the agent that put the deployment on trial', () => {
    expect(judge({ state: { ...stateIn('Healthy'), at: { phase: 'Idle' } } })).toBe('passed')
    const at = { phase: 'Failed', plan: acceptedPlan('2'), failure: failureOf('X', 'x') } as const
    expect(judge({ state: { ...stateIn('Verifying'), at } })).toBe('passed')
  })

  it('has failed when the way back has', () => {
    const at = {
      phase: 'Failed',
      plan: acceptedPlan('1'),
      failure: failureOf('RollbackFailed', 'x'),
    } as const
    const state = { ...stateIn('Verifying'), at }
    expect(state.booted.current?.manifestDigest).toBe(digestOf('1'))
    expect(judge({ state })).toBe('failed')
  })
})
