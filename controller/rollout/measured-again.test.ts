import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, rolloutView, strategyWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, settleAll, want } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { WantedMeasurement } from './decision.ts'
import type { Measurement } from './records.ts'

it('an analysis that failed within its limit after the soak is asked again an interval later', () => {
  const last: { measures: readonly WantedMeasurement[] } = { measures: [] }
  const world = newWorld((_event, { measures }) => {
    last.measures = measures
  })
  enrol(world, 'h0', imageOf('0.0.0').digest)
  const errors = { name: 'errors', provider: { kind: 'named', check: 'errors' } } as const
  const analysis = [{ ...errors, intervalMs: 60_000, failureLimit: 1 }]
  const waves = [waveOf('all', { kind: 'percent', percent: 100 })]
  want(world, [fleetWith('1.0.0', { strategy: strategyWith({ waves, analysis }) })], 'c1')
  settleAll(world)
  expect(rolloutView(world).waves[0]?.state).toBe('Analysing')
  const answer = (kind: Measurement['kind']): void => {
    const outcome = { kind, detail: '3 % of requests' }
    dispatch(world, { kind: 'measured', rolloutId: 'edge.1', wave: 'all', analysis: 'errors', outcome })
  }
  const askedAfter = (ms: number): number => {
    world.wallMs += ms
    dispatch(world, { kind: 'timer' })
    return last.measures.length
  }
  expect(last.measures).toMatchObject([{ rolloutId: 'edge.1', wave: 'all', analysis: { name: 'errors' } }])
  answer('Failed')
  expect([askedAfter(0), askedAfter(59_000), askedAfter(1_000)]).toEqual([0, 0, 1])
  answer('Passed')
  settleAll(world)
  expect(rolloutView(world).state).toBe('Succeeded')
})
