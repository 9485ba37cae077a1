import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, phaseOf, rolloutView, strategyWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, settleAll, want } from '../../test/support/rollout-world.ts'
import type { Write } from './decision.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'

const minuteMs = 60_000
const all = { kind: 'percent', percent: 100 } as const

it('saves the time that a wave soaked once a minute, not with every call', () => {
  const last: { writes: readonly Write[] } = { writes: [] }
  const world = newWorld((_event, { writes }) => {
    last.writes = writes
  })
  enrol(world, 'h0', imageOf('0.0.0').digest)
  const strategy = strategyWith({ waves: [waveOf('all', all, 10 * minuteMs)] })
  want(world, [fleetWith('1.0.0', { strategy })], 'c1')
  settleAll(world)
  const written = [1, 2, 3].map(() => {
    world.wallMs += 30_000
    dispatch(world, { kind: 'timer' })
    return last.writes.map((write) => write.kind === 'rollout' && write.record.waves[0]?.soakedMs)
  })
  expect(written).toEqual([[], [minuteMs], []])
})

it('takes staged hosts from the wave that was promoted past them, and from no later one', () => {
  const world = newWorld()
  for (const id of ['h0', 'h1', 'h2']) enrol(world, id, imageOf('0.0.0').digest)
  const strategy = strategyWith({
    waves: [waveOf('canary', { kind: 'count', count: 1 }), waveOf('rest', all)],
    maxUnavailable: { kind: 'count', count: 0 },
    downloads: { maxConcurrent: 50, prefetch: 'NextWave' },
  })
  want(world, [fleetWith('1.0.0', { strategy })], 'c1')
  settleAll(world)
  const canary = rolloutView(world).attention.find(({ wave }) => wave === 'canary')?.hostId ?? ''
  const others = ['h0', 'h1', 'h2'].filter((id) => id !== canary)
  expect(phaseOf(world, canary)).toBe('AwaitingSlot')
  dispatch(world, { kind: 'promote', rolloutId: 'edge.1', actor: 'kim', reason: 'it is tested' })
  settleAll(world)
  expect(phaseOf(world, canary)).toBe('Skipped')
  expect(others.map((id) => phaseOf(world, id))).toEqual(['AwaitingSlot', 'AwaitingSlot'])
  expect(rolloutView(world).waves.map(({ state }) => state)).toEqual(['Skipped', 'Running'])
})
