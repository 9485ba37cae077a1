import { describe, expect, it } from 'vitest'
import { agentOf, declared, grantOf, off, settled, wantArguments } from '../../test/support/host-arguments.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import {
  fleetWith,
  nowOf,
  phaseOf,
  rolledOut,
  rolloutView,
  say,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, settleAll, want } from '../../test/support/rollout-world.ts'
import { pinnedImage } from '../../test/support/scenario-wanted.ts'
import { describeHosts, explain } from './engine.ts'

describe('kernel arguments of one host in git', () => {
  it('boot it once more, and it alone, without a new rollout', () => {
    const world = settled(2)
    const [boots, others] = [agentOf(world).boots, agentOf(world, 'h1').boots]
    wantArguments(world, off, 'c2')
    settleAll(world)
    expect(agentOf(world)).toMatchObject({ boots: boots + 1, kernelArguments: off, phase: 'Healthy' })
    expect(agentOf(world, 'h1')).toMatchObject({ boots: others, kernelArguments: [] })
    expect(rolloutView(world).id).toBe('edge.1')
    expect(grantOf(world)).toMatchObject({ attempt: 2, phase: 'Succeeded', kernelArguments: off })
    settleAll(world)
    expect(agentOf(world).boots).toBe(boots + 1)
  })

  it('boot it without them when they are taken out again', () => {
    const world = settled()
    wantArguments(world, off, 'c2')
    settleAll(world)
    want(world, [fleetWith('1.0.0')], 'c3', { hosts: [] })
    settleAll(world)
    expect(agentOf(world).kernelArguments).toEqual([])
    expect(grantOf(world)).not.toHaveProperty('kernelArguments')
  })

  it('change nothing where it has them already', () => {
    const world = settled()
    agentOf(world).kernelArguments = off
    const { boots } = agentOf(world)
    wantArguments(world, off, 'c2')
    say(world, agentOf(world))
    settleAll(world)
    expect(agentOf(world).boots).toBe(boots)
  })

  it('that it does not come up with are not tried again; others are, by themselves', () => {
    const world = settled()
    agentOf(world).behaviour = 'bad'
    wantArguments(world, off, 'c2')
    settleAll(world)
    expect(phaseOf(world, 'h0')).toBe('RolledBack')
    const { boots } = agentOf(world)
    settleAll(world)
    expect(agentOf(world)).toMatchObject({ boots, kernelArguments: [] })
    agentOf(world).behaviour = 'good'
    wantArguments(world, ['mitigations=auto'], 'c3')
    settleAll(world)
    expect(phaseOf(world, 'h0')).toBe('Succeeded')
    expect(agentOf(world).kernelArguments).toEqual(['mitigations=auto'])
  })

  it('replace those that it is just being given, until it reboots', () => {
    const world = settled()
    wantArguments(world, off, 'c2')
    dispatch(world, { kind: 'timer' })
    expect(grantOf(world)).toMatchObject({ phase: 'Granted', kernelArguments: off })
    wantArguments(world, ['quiet'], 'c3')
    expect(grantOf(world)).toMatchObject({ attempt: 3, kernelArguments: ['quiet'] })
    settleAll(world)
    expect(agentOf(world).kernelArguments).toEqual(['quiet'])
  })

  it('come with the image where a rollout brings one', () => {
    const world = settled()
    const { boots } = agentOf(world)
    want(world, [fleetWith('2.0.0')], 'c2', { hosts: declared(off) })
    settleAll(world)
    const { digest } = imageOf('2.0.0')
    expect(agentOf(world)).toMatchObject({ digest, kernelArguments: off })
    expect(agentOf(world).boots).toBeLessThanOrEqual(boots + 2)
  })

  it('come while its wave still runs', () => {
    const world = settled(2)
    const strategy = strategyWith({ maxUnavailable: { kind: 'count', count: 2 } })
    want(world, [fleetWith('2.0.0', { strategy })], 'c2')
    settleAll(world, ['h0'])
    expect(grantOf(world, 'edge.2')).toMatchObject({ phase: 'Succeeded' })
    want(world, [fleetWith('2.0.0', { strategy })], 'c3', { hosts: declared(off) })
    settleAll(world, ['h0'])
    expect(agentOf(world)).toMatchObject({ digest: imageOf('2.0.0').digest, kernelArguments: off })
    expect(rolloutView(world).state).toBe('Progressing')
  })

  const lenient = { max: { kind: 'count', count: 2 }, minAttempted: 1 } as const
  const forgiving = strategyWith({ failureLimit: { firstWave: lenient, later: lenient } })
  const before200 = { below: '2.0.0', via: imageOf('1.5.0'), reason: 'a new table' }

  it.each([
    { from: 'in the wave that still runs', requires: [], triedWith: null },
    { from: 'with the image on its way', requires: [before200], triedWith: before200.via },
  ])('free a host that failed $from', ({ requires, triedWith }) => {
    const world = settled(3)
    const fleets = [fleetWith('2.0.0', { strategy: forgiving, requires })]
    agentOf(world).behaviour = 'bad'
    want(world, fleets, 'c2')
    settleAll(world, ['h0'])
    expect(grantOf(world, 'edge.2')).toMatchObject({ attempt: 1, phase: 'RolledBack', image: triedWith })
    want(world, fleets, 'c3', { hosts: declared(off) })
    settleAll(world, ['h0'])
    expect(grantOf(world, 'edge.2')).toMatchObject({ attempt: 2, kernelArguments: off, image: triedWith })
    expect(rolloutView(world).state).toBe('Progressing')
  })

  it('come where the fleet stays on what was stable, and failed ones are left', () => {
    const world = settled()
    agentOf(world).behaviour = 'bad'
    want(world, [fleetWith('2.0.0')], 'c2')
    settleAll(world)
    agentOf(world).behaviour = 'good'
    want(world, [fleetWith('2.0.0')], 'c3', { hosts: declared(off) })
    settleAll(world)
    expect(agentOf(world)).toMatchObject({ digest: imageOf('1.0.0').digest, kernelArguments: off })
    agentOf(world).behaviour = 'bad'
    want(world, [fleetWith('2.0.0')], 'c4', { hosts: declared(['quiet']) })
    settleAll(world)
    const { boots } = agentOf(world)
    settleAll(world)
    expect(agentOf(world)).toMatchObject({ boots, kernelArguments: off })
  })

  it('come to a pinned host on its pin', () => {
    const world = settled()
    const { digest } = imageOf('0.9.0')
    const fleets = [fleetWith('1.0.0', { pins: [pinnedImage(digest)] })]
    want(world, fleets, 'c2', { hosts: declared([], { pin: digest }) })
    settleAll(world)
    want(world, fleets, 'c3', { hosts: declared(off, { pin: digest }) })
    settleAll(world)
    expect(agentOf(world)).toMatchObject({ digest, kernelArguments: off })
  })

  it('that somebody booted it without are brought back, and said to be missing', () => {
    const world = settled()
    wantArguments(world, off, 'c2')
    settleAll(world)
    const held = { untilMs: null, reason: 'look' }
    want(world, [fleetWith('1.0.0')], 'c3', { hosts: declared(off, { hold: held }) })
    agentOf(world).kernelArguments = []
    agentOf(world).phase = 'Idle'
    say(world, agentOf(world))
    const [host] = describeHosts(world.state, null, nowOf(world))
    expect(host?.conditions).toContain('Drifted')
    wantArguments(world, off, 'c4')
    settleAll(world)
    expect(agentOf(world).kernelArguments).toEqual(off)
  })

  it('are shown as what a host was given, and as not known of one that does not say', () => {
    const world = rolledOut('1.0.0', 2)
    agentOf(world).kernelArguments = off
    say(world, agentOf(world))
    const given = describeHosts(world.state, null, nowOf(world)).map((host) => host.givenKernelArguments)
    expect(given).toEqual([off, undefined])
  })

  it('that an agent says it booted without make the attempt a failure', () => {
    const world = settled()
    wantArguments(world, off, 'c2')
    settleAll(world)
    wantArguments(world, ['quiet'], 'c3')
    dispatch(world, { kind: 'timer' })
    const agent = agentOf(world)
    agent.phase = 'Staged'
    say(world, agent)
    dispatch(world, { kind: 'timer' })
    agent.boots += 1
    agent.phase = 'Healthy'
    say(world, agent)
    expect(grantOf(world)).toMatchObject({
      phase: 'Failed',
      message: 'booted it with other kernel arguments',
    })
  })

  it('are what a host says stands on its line', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    const kernelLine = [{ argument: 'quiet', source: 'image' }]
    say(world, agentOf(world), { kernelLine })
    expect(describeHosts(world.state, null, nowOf(world))[0]).toMatchObject({ kernelLine })
    expect(explain(world.state, 'h0', nowOf(world)).kind).toBeDefined()
  })
})
