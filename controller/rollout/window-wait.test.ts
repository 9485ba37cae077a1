import { expect, it } from 'vitest'
import { fleetWith, nowOf, rolledOut, strategyWith } from '../../test/support/rollout-fleet.ts'
import { pass, want } from '../../test/support/rollout-world.ts'
import type { Window } from '../desired-state/types.ts'
import { describeHosts } from './engine.ts'

it('says of windows that deny always that none ever opens', () => {
  const world = rolledOut('1.0.0')
  const always: Window = {
    kind: 'Deny',
    days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
    startMinute: 0,
    durationMs: 24 * 3_600_000,
    timeZone: 'UTC',
    actions: ['Activate'],
  }
  want(world, [fleetWith('2.0.0', { strategy: strategyWith({ windows: [always] }) })], 'c2')
  pass(world, 60_000)
  expect(describeHosts(world.state, 'edge', nowOf(world))[0]?.message).toBe(
    'staged; waits to activate: no window ever opens; add an Allow window, or shorten a Deny',
  )
})
