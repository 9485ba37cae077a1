import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, rolledOut, say, strategyWith } from '../../test/support/rollout-fleet.ts'
import { settleAll, want } from '../../test/support/rollout-world.ts'
import { planOrder } from './plan.ts'

it('a host that only reports by now is not tried again, whatever it failed with before', () => {
  const world = rolledOut('1.0.0')
  world.broken.add(imageOf('2.0.0').digest)
  const strategy = strategyWith({ onFailure: { firstWave: 'Pause', later: 'Pause' } })
  want(world, [fleetWith('2.0.0', { strategy })], 'c2')
  settleAll(world)
  const order = { kind: 'retry', target: 'edge', host: 'h0', actor: 'kim', reason: '' } as const
  expect(planOrder(world.state, order).message).toContain('host h0 is queued again')
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  const system = { osId: 'debian', osVersion: '12', osName: '', imageReference: '', imageLabels: {} }
  say(world, agent, { plan: null, phase: 'Idle', reportOnly: system })
  expect(() => planOrder(world.state, order)).toThrow('it only reports what it runs, and is never updated')
  expect(() => planOrder(world.state, { ...order, host: null })).toThrow('none of its hosts failed')
})
