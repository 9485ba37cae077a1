import { expect, it } from 'vitest'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { conditionWords } from '../../proto/picture/conditions.ts'
import type { HostCondition } from '../rollout/states.ts'
import { statusOf } from './status-view.ts'

/** Compiles only while every condition has words: those who render them know no type of ours. */
const words: Readonly<Record<HostCondition, string>> = conditionWords

it('every condition of a host is a sentence about it', () => {
  for (const sentence of Object.values(words))
    expect(`it ${sentence}`).toMatch(/^it (is|has|boots|no longer|only) /)
})

it('a fleet is told with its limits, and a rollout that ended without any end to come', () => {
  const [fleet] = statusOf(snapshotOfFleets(['edge'])).fleets
  expect(fleet?.limits).toMatchObject({ unavailable: 0, unavailableMax: 1, windows: [], freezes: [] })
  expect(fleet?.rollout).toMatchObject({
    state: 'Succeeded',
    endsEarliestAtMs: 0n,
    endUnknownBecause: '',
    waveDeadlineAtMs: 0n,
  })
})
