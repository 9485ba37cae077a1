import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { rolledOut, say } from '../../test/support/rollout-fleet.ts'
import { moveByHand } from '../../test/support/rollout-losses.ts'
import { dispatch } from '../../test/support/rollout-world.ts'
import { lastOrder } from './last-order.ts'
import { planOrder } from './plan.ts'

const order = { kind: 'resumeHost', host: 'h0', actor: 'kim', reason: 'mended' } as const

it('a host goes on by the move that was seen, once, and only where there is one', () => {
  const world = rolledOut('1.0.0')
  expect(() => planOrder(world.state, order)).toThrow(
    'resuming host h0: nobody on it chose what it boots; a hold in git is ended there',
  )
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  moveByHand(world, agent, imageOf('0.5.0').digest)
  const { event, message } = planOrder(world.state, order)
  expect(message).toMatch(/^host h0 follows its fleet again, and leaves sha256:0500/)
  expect(event).toEqual({ kind: 'resumeHost', hostId: 'h0', moveId: 'm1', actor: 'kim', reason: 'mended' })
  if (event !== null) dispatch(world, event)
  const again = planOrder(world.state, order)
  expect(again.event).toBeNull()
  expect(again.message).toMatch(/^host h0 was resumed already, by kim at 2026-.*: "mended"$/)
  agent.moved = undefined
  say(world, agent)
  expect(planOrder(world.state, order)).toEqual(again)
  agent.moved = { id: 'm2', user: 'ann', command: 'switch', atMs: 0, digest: null }
  say(world, agent)
  expect(planOrder(world.state, order).message).toContain('and leaves what it was made to boot')
  expect(() => planOrder(world.state, { ...order, host: 'h9' })).toThrow('there is no such host')
})

it('that it was carried out is seen by what is kept of the host, and not where it came too late', () => {
  const world = rolledOut('1.0.0')
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  moveByHand(world, agent, imageOf('0.5.0').digest)
  const { event } = planOrder(world.state, order)
  if (event === null) throw new Error('nothing to carry out')
  const before = lastOrder(world.state, event)
  agent.moved = { id: 'm2', user: 'ann', command: 'switch', atMs: 0, digest: null }
  say(world, agent)
  dispatch(world, event)
  expect(lastOrder(world.state, event)).toBe(before)
  const newer = planOrder(world.state, order).event
  if (newer === null) throw new Error('nothing to carry out')
  dispatch(world, newer)
  expect(lastOrder(world.state, newer)).toMatchObject({ moveId: 'm2', actor: 'kim' })
})
