import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import {
  fleetWith,
  nowOf,
  phaseOf,
  rolledOut,
  rolloutView,
  say,
  strategyWith,
  why,
} from '../../test/support/rollout-fleet.ts'
import { moveByHand } from '../../test/support/rollout-losses.ts'
import {
  dispatch,
  enrol,
  move,
  newWorld,
  pass,
  restart,
  settleAll,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import { describeHosts } from './engine.ts'
import { whyHost } from './why.ts'

const minuteMs = 60_000
const agentOf = (world: World, hostId: string): SimulatedAgent => world.agents.get(hostId) as SimulatedAgent
const viewOf = (world: World, hostId: string) =>
  describeHosts(world.state, null, nowOf(world)).find((host) => host.hostId === hostId)
const digest = (version: string): string => imageOf(version).digest
const resume = (world: World, moveId = 'm1'): void => {
  dispatch(world, { kind: 'resumeHost', hostId: 'h0', moveId, actor: 'ann', reason: 'mended' })
  settleAll(world)
}
const allAtOnce = (soakMs = 0) =>
  strategyWith({ waves: [waveOf('all', { kind: 'percent', percent: 100 }, soakMs)] })

describe('a host that a person took back by hand', () => {
  const takenBack = (): World => {
    const world = rolledOut('1.0.0', 3)
    want(world, [fleetWith('2.0.0', { strategy: allAtOnce() })], 'c2')
    settleAll(world)
    moveByHand(world, agentOf(world, 'h0'), digest('1.0.0'))
    settleAll(world)
    return world
  }

  it('is left there and told, with who, when and what lets it go on', () => {
    const world = takenBack()
    pass(world, 2 * minuteMs)
    settleAll(world)
    expect(agentOf(world, 'h0').digest).toBe(digest('1.0.0'))
    expect(viewOf(world, 'h0')).toMatchObject({
      conditions: ['Drifted(local)'],
      message: expect.stringMatching(
        /^kim made it boot sha256:10+… with container-snap rollback, 2m0s ago; it is left so/,
      ) as string,
    })
    const host = world.state.hosts.get('h0')!
    expect(whyHost(world.state, host, nowOf(world))).toMatchObject({
      reason: 'Drifted(local)',
      sinceMs: agentOf(world, 'h0').moved?.atMs,
      next: 'nothing, until "bootfleet resume host/h0" lets it follow its fleet again',
    })
  })

  it('is left there by the next rollout too, which ends without it', () => {
    const world = takenBack()
    want(world, [fleetWith('3.0.0', { strategy: allAtOnce() })], 'c3')
    settleAll(world)
    expect(rolloutView(world)).toMatchObject({ state: 'Succeeded' })
    expect(agentOf(world, 'h0').digest).toBe(digest('1.0.0'))
    expect(agentOf(world, 'h1').digest).toBe(digest('3.0.0'))
  })

  it('follows its fleet again when it is resumed, and the next person counts anew', () => {
    const world = takenBack()
    resume(world, 'another move')
    expect(why(world, 'h0')).toBe('Drifted(local)')
    resume(world)
    expect(agentOf(world, 'h0')).toMatchObject({ digest: digest('2.0.0'), moved: undefined })
    expect(viewOf(world, 'h0')?.conditions).toEqual([])
    moveByHand(world, agentOf(world, 'h0'), digest('1.0.0'), 'm2')
    settleAll(world)
    expect(why(world, 'h0')).toBe('Drifted(local)')
  })

  it('is left there by a controller that starts anew, and is resumed by one', () => {
    const world = takenBack()
    restart(world)
    settleAll(world)
    expect(why(world, 'h0')).toBe('Drifted(local)')
    dispatch(world, { kind: 'resumeHost', hostId: 'h0', moveId: 'm1', actor: 'ann', reason: '' })
    restart(world)
    settleAll(world)
    expect(agentOf(world, 'h0').digest).toBe(digest('2.0.0'))
  })

  it('is not spoken of where nobody knows it', () => {
    const world = takenBack()
    const before = world.state.hosts.size
    dispatch(world, { kind: 'resumeHost', hostId: 'h9', moveId: 'm1', actor: 'ann', reason: '' })
    const enrolment = { hostId: 'mute', name: 'mute', labels: {}, enrolledAtMs: world.wallMs }
    dispatch(world, { kind: 'enrolled', enrolment })
    dispatch(world, { kind: 'resumeHost', hostId: 'mute', moveId: 'm1', actor: 'ann', reason: '' })
    expect(world.state.hosts.size).toBe(before + 1)
  })
})

describe('a host that a person overtook in the middle of its step', () => {
  const inPhase = (wanted: SimulatedAgent['phase']): World => {
    const world = rolledOut('1.0.0', 2)
    want(world, [fleetWith('2.0.0', { strategy: allAtOnce() })], 'c2')
    const agent = agentOf(world, 'h0')
    for (let turns = 0; agent.phase !== wanted && turns < 50; turns += 1) {
      move(world, agent)
      dispatch(world, { kind: 'timer' })
    }
    expect(agent.phase).toBe(wanted)
    return world
  }

  it.each(['Downloading', 'Staged', 'Verifying'] as const)('in %s neither fails nor holds up', (phase) => {
    const world = inPhase(phase)
    moveByHand(world, agentOf(world, 'h0'), digest('0.5.0'))
    settleAll(world)
    expect(phaseOf(world, 'h0')).toBe('Removed')
    expect(rolloutView(world)).toMatchObject({ state: 'Succeeded' })
    expect(rolloutView(world).waves[0]?.hostsFailed).toBe(0)
    resume(world)
    expect(agentOf(world, 'h0').digest).toBe(digest('2.0.0'))
  })

  it('still says that the image failed, where it did', () => {
    const world = inPhase('Verifying')
    const agent = agentOf(world, 'h0')
    agent.behaviour = 'bad'
    agent.moved = { id: 'm1', user: 'kim', command: 'switch', atMs: 0, digest: null }
    say(world, agent, { phase: 'RolledBack' })
    expect(phaseOf(world, 'h0')).toBe('RolledBack')
    expect(viewOf(world, 'h0')?.message).toContain(
      'kim made it boot an unknown image with container-snap switch',
    )
  })
})

it('a soak does not begin again because a person took a host away from the image', () => {
  const world = rolledOut('1.0.0', 3)
  want(world, [fleetWith('2.0.0', { strategy: allAtOnce(60 * minuteMs) })], 'c2')
  settleAll(world)
  pass(world, 30 * minuteMs)
  moveByHand(world, agentOf(world, 'h0'), digest('1.0.0'))
  pass(world, 31 * minuteMs)
  settleAll(world)
  expect(rolloutView(world).state).toBe('Succeeded')
})

it('the first rollout of a fleet does not begin for hosts on which a person chose alone', () => {
  const world = newWorld()
  enrol(world, 'h0', digest('0.0.0'))
  moveByHand(world, agentOf(world, 'h0'), digest('0.5.0'))
  want(world, [fleetWith('1.0.0')], 'c1')
  settleAll(world)
  expect(why(world, 'h0')).toBe('Drifted(local)')
  expect(world.store.rollouts.size).toBe(0)
  resume(world)
  expect(agentOf(world, 'h0').digest).toBe(digest('1.0.0'))
})

describe('a rollback of a fleet', () => {
  const both = strategyWith({ maxUnavailable: { kind: 'count', count: 3 } })
  /** h1 fails the image that the others run by then. */
  const goingBack = (): World => {
    const world = rolledOut('1.0.0', 3)
    want(world, [fleetWith('2.0.0', { strategy: both })], 'c2')
    settleAll(world, ['h0', 'h2'])
    agentOf(world, 'h1').behaviour = 'bad'
    settleAll(world, ['h1'])
    expect(rolloutView(world).state).toBe('RollingBack')
    return world
  }

  it('does not fail for a host that a person makes boot what it leaves', () => {
    const world = goingBack()
    moveByHand(world, agentOf(world, 'h0'), digest('2.0.0'))
    settleAll(world)
    expect(rolloutView(world).state).toBe('RolledBack')
    expect(why(world, 'h0')).toBe('Drifted(local)')
  })

  it('does not fail for a host that a person takes back where it could not go', () => {
    const world = goingBack()
    agentOf(world, 'h0').behaviour = 'bad'
    settleAll(world, ['h0'])
    expect(phaseOf(world, 'h0')).toBe('RolledBack')
    moveByHand(world, agentOf(world, 'h0'), digest('1.0.0'))
    settleAll(world)
    expect(rolloutView(world).state).toBe('RolledBack')
  })
})
