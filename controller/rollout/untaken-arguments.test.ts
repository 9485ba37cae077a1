import { describe, expect, it } from 'vitest'
import { agentOf, declared, grantOf, off, settled, wantArguments } from '../../test/support/host-arguments.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import {
  fleetWith,
  nowOf,
  rolledOut,
  rolloutView,
  say,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, move, restart, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import type { Host } from './state.ts'
import { whyHost } from './why.ts'

describe('a host that cannot be given kernel arguments', () => {
  const message = (world: World): string =>
    whyHost(world.state, world.state.hosts.get('h0') as Host, nowOf(world)).message
  const untaken = 'its agent is too old for them, or its boot loader takes none'

  it('keeps following its fleet without them, and says so', () => {
    const world = rolledOut('1.0.0')
    wantArguments(world, off, 'c2')
    settleAll(world)
    expect(grantOf(world)).toMatchObject({ attempt: 1, phase: 'Succeeded' })
    expect(message(world)).toContain(untaken)
    want(world, [fleetWith('2.0.0')], 'c3', { hosts: declared(off) })
    settleAll(world)
    expect(agentOf(world).digest).toBe(imageOf('2.0.0').digest)
    expect(rolloutView(world).state).toBe('Succeeded')
    expect(grantOf(world, 'edge.2')).not.toHaveProperty('kernelArguments')
  })

  it('is given them as soon as its agent takes them, also by the image that brings it', () => {
    const world = rolledOut('1.0.0')
    wantArguments(world, off, 'c2')
    agentOf(world).kernelArguments = []
    say(world, agentOf(world))
    settleAll(world)
    expect(agentOf(world).kernelArguments).toEqual(off)
    expect(message(world)).not.toContain(untaken)
  })

  it('is given a plan that it can read when an agent from before comes back', () => {
    const world = settled()
    wantArguments(world, off, 'c2')
    settleAll(world)
    delete agentOf(world).kernelArguments
    say(world, agentOf(world))
    settleAll(world)
    expect(grantOf(world)).toMatchObject({ attempt: 3, phase: 'Succeeded' })
    expect(grantOf(world)).not.toHaveProperty('kernelArguments')
  })

  it('is told what to run without them when a rollback brings an agent from before', () => {
    const world = settled(2)
    const strategy = strategyWith({ maxUnavailable: { kind: 'count', count: 2 } })
    want(world, [fleetWith('2.0.0', { strategy })], 'c2', { hosts: declared(off) })
    settleAll(world, ['h0'])
    agentOf(world, 'h1').behaviour = 'bad'
    settleAll(world, ['h1'])
    const agent = agentOf(world)
    for (let turns = 0; agent.phase !== 'Rebooting' && turns < 50; turns += 1) {
      move(world, agent)
      dispatch(world, { kind: 'timer' })
    }
    expect(agent.plan).toMatchObject({ kernelArguments: off })
    delete agent.kernelArguments
    settleAll(world)
    expect(agent).toMatchObject({ digest: imageOf('1.0.0').digest, phase: 'Healthy' })
    restart(world)
    expect(agent.plan).not.toHaveProperty('kernelArguments')
    expect(rolloutView(world).state).toBe('RolledBack')
  })

  it('is not tried again for having failed with arguments that it cannot be given any more', () => {
    const world = settled()
    agentOf(world).behaviour = 'bad'
    wantArguments(world, off, 'c2')
    settleAll(world)
    delete agentOf(world).kernelArguments
    say(world, agentOf(world))
    settleAll(world)
    expect(grantOf(world)).toMatchObject({ attempt: 2, phase: 'RolledBack' })
  })

  it('is not said to lack any where git wants none of it', () => {
    const world = rolledOut('1.0.0')
    expect(message(world)).not.toContain(untaken)
  })
})
