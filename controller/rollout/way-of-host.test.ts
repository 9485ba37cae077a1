import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import {
  fleetWith,
  nowOf,
  rolledOut,
  rolloutView,
  say,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, move, newWorld, pass, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { pinnedImage } from '../../test/support/scenario-wanted.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { HostDeclaration } from '../desired-state/types.ts'
import { explain } from './engine.ts'

const hourMs = 3_600_000
const all = { kind: 'percent', percent: 100 } as const

const declared = (changes: Partial<HostDeclaration>): HostDeclaration => {
  return { name: 'h0', labels: {}, pin: null, hold: null, ...changes }
}
const agentOf = (world: World, hostId = 'h0'): SimulatedAgent => world.agents.get(hostId) as SimulatedAgent
const grantOf = (world: World, rolloutId: string, hostId = 'h0') =>
  world.state.hosts.get(hostId)?.grants.get(rolloutId)
const versionOf = (world: World, hostId = 'h0'): string => agentOf(world, hostId).digest.slice(7, 10)

function pinTo(version: string, world: World): void {
  const { digest } = imageOf(version)
  const hosts = [declared({ pin: digest })]
  want(world, [fleetWith('2.0.0', { pins: [pinnedImage(digest)] })], `pin-${version}`, { hosts })
}

/** All that is due at this instant, while no host moves. */
function decideAll(world: World): void {
  for (let calls = 0; calls < 20 && world.wakeInMs === 0; calls += 1) dispatch(world, { kind: 'timer' })
}

/** `h0` has a grant of `edge.2`, and did nothing with it yet. */
function granted(): World {
  const world = rolledOut('1.0.0')
  want(world, [fleetWith('2.0.0')], 'c2')
  dispatch(world, { kind: 'timer' })
  expect(grantOf(world, 'edge.2')?.phase).toBe('Granted')
  return world
}

describe('what was granted', () => {
  it('is taken back by a hold, and granted again when the hold is over', () => {
    const world = granted()
    const hold = { untilMs: world.wallMs + hourMs, reason: 'repair' }
    want(world, [fleetWith('2.0.0')], 'c3', { hosts: [declared({ hold })] })
    expect(grantOf(world, 'edge.2')).toMatchObject({ phase: 'Removed', message: 'held: repair' })
    settleAll(world)
    expect(versionOf(world)).toBe('100')
    pass(world, hourMs)
    expect([versionOf(world), grantOf(world, 'edge.2')?.phase]).toEqual(['200', 'Succeeded'])
  })

  it('is taken back by a pin, and a pin by another one and by its end; not by the same one again', () => {
    const world = granted()
    const { digest } = imageOf('0.9.0')
    pinTo('0.9.0', world)
    expect(grantOf(world, 'edge.2')).toMatchObject({ phase: 'Removed', message: `pinned to ${digest}` })
    decideAll(world)
    pinTo('0.9.0', world)
    expect(grantOf(world, 'edge.2')).toMatchObject({ attempt: 2, phase: 'Granted', image: { digest } })
    pinTo('0.8.0', world)
    decideAll(world)
    expect(grantOf(world, 'edge.2')).toMatchObject({
      attempt: 3,
      phase: 'Granted',
      image: { digest: imageOf('0.8.0').digest },
    })
    want(world, [fleetWith('2.0.0')], 'c9', { hosts: [] })
    decideAll(world)
    expect(grantOf(world, 'edge.2')).toMatchObject({
      attempt: 4,
      phase: 'Granted',
      pinned: false,
      image: null,
    })
    settleAll(world)
    expect(versionOf(world)).toBe('200')
  })
})

it('a pinned host that reaches nobody on its pin is tried three times, and then no more', () => {
  const world = rolledOut('1.0.0')
  pinTo('0.9.0', world)
  for (let moves = 0; moves < 100; moves += 1) {
    agentOf(world).behaviour = 'cutOff'
    if (world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
    else move(world, agentOf(world))
  }
  expect(grantOf(world, 'edge.2')).toMatchObject({ attempt: 3, phase: 'Inconclusive', pinned: true })
  expect(versionOf(world)).toBe('100')
})

it('a host that was held before it enrolled gets its turn when the hold is over', () => {
  const world = rolledOut('1.0.0', 0)
  const hold = { untilMs: world.wallMs + hourMs, reason: 'not in its shop yet' }
  want(world, [fleetWith('1.0.0')], 'c2', { hosts: [declared({ hold })] })
  enrol(world, 'h0', imageOf('0.0.0').digest)
  settleAll(world)
  expect(explain(world.state, 'h0', nowOf(world))).toMatchObject({ kind: 'Held', reason: hold.reason })
  expect(grantOf(world, 'edge.1')).toBeUndefined()
  pass(world, hourMs)
  expect(versionOf(world)).toBe('100')
})

describe('a barrier', () => {
  const requires = [{ below: '2.0.0', via: imageOf('2.0.0'), reason: 'new keys' }]
  const older = (version: string): World => {
    const world = newWorld()
    say(world, enrol(world, 'h0', imageOf('0.5.0').digest), { bootedVersion: '0.5.0' })
    want(world, [fleetWith(version, { requires })], 'c1')
    dispatch(world, { kind: 'timer' })
    return world
  }

  it('behind the image that is wanted is none on the way to it', () => {
    const world = older('1.5.0')
    expect(grantOf(world, 'edge.1')).toMatchObject({ phase: 'Granted', image: null })
    settleAll(world)
    expect(versionOf(world)).toBe('150')
  })

  it('whose own image is wanted is no detour', () => {
    const world = older('2.0.0')
    expect(grantOf(world, 'edge.1')).toMatchObject({ phase: 'Granted', image: null })
    settleAll(world)
    expect(grantOf(world, 'edge.1')).toMatchObject({ attempt: 1, phase: 'Succeeded' })
  })

  it('that a host passed before it left its fleet makes it no success of the wave', () => {
    const world = newWorld()
    const site = (name: string) => ({ kind: 'match', labels: { site: name }, expressions: [] }) as const
    const strategy = strategyWith({ waves: [waveOf('all', all)] })
    say(world, enrol(world, 'h0', imageOf('0.5.0').digest, { site: 'oslo' }), { bootedVersion: '0.5.0' })
    want(world, [fleetWith('3.0.0', { requires, strategy, selector: site('oslo') })], 'c1')
    dispatch(world, { kind: 'timer' })
    while (agentOf(world).phase !== 'Verifying') move(world, agentOf(world))
    want(world, [fleetWith('3.0.0', { requires, strategy, selector: site('oslo'), suspend: true })], 'c2')
    settleAll(world)
    expect(grantOf(world, 'edge.1')).toMatchObject({ phase: 'Succeeded', image: { version: '2.0.0' } })
    expect(rolloutView(world).waves[0]).toMatchObject({ hostsTotal: 1, hostsSkipped: 0, hostsSucceeded: 0 })
    want(world, [fleetWith('3.0.0', { requires, strategy, selector: site('rome') })], 'c3')
    expect(rolloutView(world).waves[0]).toMatchObject({ hostsTotal: 1, hostsSkipped: 1, hostsSucceeded: 0 })
  })
})

it('a host that runs a newer version than its fleet gets stays there, unless git allows a downgrade', () => {
  const world = newWorld()
  say(world, enrol(world, 'h0', imageOf('3.0.0').digest), { bootedVersion: '3.0.0' })
  want(world, [fleetWith('2.0.0')], 'c1')
  settleAll(world)
  expect(explain(world.state, 'h0', nowOf(world))).toEqual({ kind: 'Downgrade', to: '2.0.0', from: '3.0.0' })
  expect(grantOf(world, 'edge.1')).toBeUndefined()
  want(world, [fleetWith('2.0.0', { downgrade: 'Allow' })], 'c2')
  settleAll(world)
  expect(versionOf(world)).toBe('200')
})
