import { expect, it } from 'vitest'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { statusOf } from './status-view.ts'

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
