import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, nowOf, say } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, want } from '../../test/support/rollout-world.ts'
import { explain } from './engine.ts'

it('believes what a host says of its own version, where nobody knows its image', () => {
  const world = newWorld()
  for (const id of ['old', 'new', 'mute']) enrol(world, id, imageOf('0.5.0').digest)
  for (const [id, bootedVersion] of [
    ['old', '1.0.0'],
    ['new', '2.1.0'],
  ] as const) {
    const agent = world.agents.get(id)
    if (agent !== undefined) say(world, agent, { bootedVersion })
  }
  const requires = [
    { below: '2.0.0', via: imageOf('1.9.0'), reason: 'new keys' },
    { below: '1.0.0', via: imageOf('0.9.0'), reason: 'new disk' },
  ]
  want(world, [fleetWith('3.0.0', { requires })], 'c1')
  dispatch(world, { kind: 'timer' })
  const granted = (id: string) => world.agents.get(id)?.plan?.image.version
  expect([granted('old'), granted('new'), granted('mute')]).toEqual(['1.9.0', '3.0.0', undefined])
  expect(explain(world.state, 'mute', nowOf(world))).toMatchObject({ kind: 'UnknownVersion', below: '1.0.0' })
})
