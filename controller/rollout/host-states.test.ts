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
import { boot } from '../../test/support/rollout-losses.ts'
import {
  dispatch,
  enrol,
  move,
  newWorld,
  restart,
  settleAll,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { pinnedImage } from '../../test/support/scenario-wanted.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { HostDeclaration } from '../desired-state/types.ts'
import { describeHosts, explain } from './engine.ts'

const minuteMs = 60_000
const pausing = { onFailure: { firstWave: 'Pause', later: 'Pause' } } as const

const declared = (name: string, changes: Partial<HostDeclaration> = {}): HostDeclaration => ({
  name,
  labels: {},
  pin: null,
  hold: null,
  ...changes,
})

const messageOf = (world: World, hostId: string) =>
  describeHosts(world.state, null, nowOf(world)).find((host) => host.hostId === hostId)?.message

const agentOf = (world: World, hostId: string): SimulatedAgent => world.agents.get(hostId) as SimulatedAgent

describe('a host before the first rollout of its fleet', () => {
  it('says that git holds it, and for how long', () => {
    const world = newWorld()
    for (const id of ['h0', 'h1']) enrol(world, id, imageOf('0.0.0').digest)
    const until = { untilMs: world.wallMs + 60 * minuteMs, reason: 'repair' }
    const hosts = [
      declared('h0', { hold: until }),
      declared('h1', { hold: { untilMs: null, reason: 'audit' } }),
    ]
    want(world, [fleetWith('1.0.0')], 'c1', { hosts })
    settleAll(world)
    expect(explain(world.state, 'h0', nowOf(world))).toEqual({
      kind: 'Held',
      reason: 'repair',
      inMs: 60 * minuteMs,
    })
    expect(messageOf(world, 'h1')).toBe('held in git until git says otherwise: audit')
  })

  it('says that it was never heard', () => {
    const world = newWorld()
    const enrolment = { hostId: 'mute', name: 'mute', labels: {}, enrolledAtMs: world.wallMs }
    dispatch(world, { kind: 'enrolled', enrolment })
    want(world, [fleetWith('1.0.0')], 'c1')
    expect(why(world, 'mute')).toBe('Unreachable')
  })

  it('says that its rollout is being planned, which for a large fleet takes more than one call', () => {
    const world = newWorld()
    for (let index = 0; index < 500; index += 1) enrol(world, `h${index}`, imageOf('0.0.0').digest)
    want(world, [fleetWith('1.0.0')], 'c1')
    const told: (string | undefined)[] = []
    while (world.store.rollouts.size === 0) {
      told.push(messageOf(world, 'h0'))
      dispatch(world, { kind: 'timer' })
    }
    expect(told.at(-1)).toBe('its rollout is being planned')
    while (world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
    expect(rolloutView(world).waves[0]?.hostsTotal).toBe(500)
  })
})

describe('a hold', () => {
  it('that ends does not end one that lasts longer', () => {
    const world = rolledOut('1.0.0', 2)
    const hold = (hours: number) => ({ untilMs: world.wallMs + hours * 60 * minuteMs, reason: 'repair' })
    const hosts = [declared('h0', { hold: hold(1) }), declared('h1', { hold: hold(2) })]
    want(world, [fleetWith('1.0.0')], 'c2', { hosts })
    world.wallMs += 60 * minuteMs
    dispatch(world, { kind: 'timer' })
    expect([why(world, 'h0'), why(world, 'h1')]).toEqual(['Progressing', 'Held'])
  })

  it('on a host that must go back ends the rollback without it, and says that it failed', () => {
    const world = rolledOut('1.0.0', 2)
    const soaking = waveOf('all', { kind: 'percent', percent: 100 }, 60 * minuteMs)
    const next = fleetWith('2.0.0', { strategy: strategyWith({ waves: [soaking] }) })
    want(world, [next], 'c2')
    settleAll(world)
    const hosts = [declared('h0', { hold: { untilMs: null, reason: 'repair' } })]
    want(world, [next], 'c3', { hosts })
    dispatch(world, { kind: 'rollback', rolloutId: 'edge.2', actor: 'kim', reason: 'it leaks' })
    settleAll(world)
    expect(rolloutView(world).state).toBe('RollbackFailed')
    expect([agentOf(world, 'h0').digest, agentOf(world, 'h1').digest]).toEqual([
      imageOf('2.0.0').digest,
      imageOf('1.0.0').digest,
    ])
  })
})

describe('a pinned host', () => {
  const pinned = (version: string) => {
    const { digest } = imageOf(version)
    return { pins: [pinnedImage(digest)], hosts: [declared('h0', { pin: digest })] }
  }

  it('that no fleet selects is only without a fleet', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest)
    const selector = { kind: 'match', labels: { site: 'eu' }, expressions: [] } as const
    want(world, [fleetWith('1.0.0', { selector })], 'c1', { hosts: pinned('0.9.0').hosts })
    expect(why(world, 'h0')).toBe('NoFleet')
  })

  it('stays where it is while the registry does not have what it is pinned to', () => {
    const world = rolledOut('1.0.0')
    const { hosts } = pinned('0.9.0')
    want(world, [fleetWith('1.0.0')], 'c2', { hosts })
    settleAll(world)
    expect(why(world, 'h0')).toBe('PinNotFound')
    expect(messageOf(world, 'h0')).toMatch(/^pinned to sha256:090000000000…, which/)
    expect(agentOf(world, 'h0').digest).toBe(imageOf('1.0.0').digest)
  })

  it('waits for no wave, and for a slot like every other', () => {
    const world = rolledOut('1.0.0', 3)
    const waves = [
      waveOf('canary', { kind: 'count', count: 0 }),
      waveOf('rest', { kind: 'percent', percent: 100 }),
    ]
    const none = { kind: 'count', count: 0 } as const
    const { hosts, pins } = pinned('0.9.0')
    const next = fleetWith('2.0.0', { pins, strategy: strategyWith({ waves, maxUnavailable: none }) })
    want(world, [next], 'c2', { hosts })
    settleAll(world)
    expect(why(world, 'h0')).toBe('MaxUnavailable')
    expect(agentOf(world, 'h0').plan?.image.digest).toBe(imageOf('0.9.0').digest)
  })

  it('says how its attempt to run its pin ended, and is not tried again', () => {
    const world = rolledOut('1.0.0')
    const { hosts, pins } = pinned('0.9.0')
    agentOf(world, 'h0').behaviour = 'bad'
    want(world, [fleetWith('1.0.0', { pins })], 'c2', { hosts })
    settleAll(world)
    expect(explain(world.state, 'h0', nowOf(world))).toMatchObject({ kind: 'Ended', phase: 'RolledBack' })
    expect(agentOf(world, 'h0').digest).toBe(imageOf('1.0.0').digest)
  })

  it('that failed before is still counted by its wave, pinned and after', () => {
    const world = rolledOut('1.0.0', 2)
    agentOf(world, 'h0').behaviour = 'bad'
    const limit = { max: { kind: 'count', count: 1 }, minAttempted: 1 } as const
    const strategy = strategyWith({
      ...pausing,
      failureLimit: { firstWave: limit, later: limit },
      waves: [waveOf('all', { kind: 'percent', percent: 100 }, 60 * minuteMs)],
    })
    const { hosts, pins } = pinned('0.9.0')
    const next = fleetWith('2.0.0', { pins, strategy, downgrade: 'Allow' })
    const failed = () => rolloutView(world).waves[0]?.hostsFailed
    want(world, [next], 'c2')
    settleAll(world)
    expect([phaseOf(world, 'h0'), failed()]).toEqual(['RolledBack', 1])
    agentOf(world, 'h0').behaviour = 'good'
    want(world, [next], 'c3', { hosts })
    settleAll(world)
    expect([agentOf(world, 'h0').digest, failed()]).toEqual([imageOf('0.9.0').digest, 1])
    want(world, [next], 'c4', { hosts: [] })
    expect(failed()).toBe(1)
  })
})

describe('a host that was booted into something else', () => {
  it('after an abort is not promised a way back', () => {
    const world = rolledOut('1.0.0')
    const soaking = waveOf('all', { kind: 'percent', percent: 100 }, 60 * minuteMs)
    want(world, [fleetWith('2.0.0', { strategy: strategyWith({ waves: [soaking] }) })], 'c2')
    settleAll(world)
    dispatch(world, { kind: 'abort', rolloutId: 'edge.2', actor: 'kim', reason: '' })
    boot(world, agentOf(world, 'h0'), imageOf('0.5.0').digest)
    settleAll(world)
    expect(agentOf(world, 'h0').digest).toBe(imageOf('0.5.0').digest)
    expect(messageOf(world, 'h0')).toMatch(/^was on 2\.0\.0@\S+ and now runs sha256:050000000000…$/)
    const { digest } = imageOf('2.0.0')
    const bootedManifestDigest = imageOf('2.0.0').manifests['amd64'] ?? null
    say(world, agentOf(world, 'h0'), {
      bootedDigest: digest,
      bootedManifestDigest,
      kernelArguments: ['quiet'],
    })
    expect(messageOf(world, 'h0')).toMatch(
      /^runs 2\.0\.0@\S+, with other kernel arguments than it was given$/,
    )
    say(world, agentOf(world, 'h0'), { bootedDigest: null, bootedManifestDigest: null })
    expect(messageOf(world, 'h0')).toMatch(/and now runs something else$/)
  })
})

describe('a host whose lease ran out', () => {
  it('while the controller was away is granted again, without a failure', () => {
    const world = rolledOut('1.0.0')
    want(world, [fleetWith('2.0.0')], 'c2')
    dispatch(world, { kind: 'timer' })
    move(world, agentOf(world, 'h0'))
    expect(phaseOf(world, 'h0')).toBe('Downloading')
    world.wallMs += 31 * minuteMs
    const told: string[] = []
    const phases = () => [...world.store.grants.values()].map(({ message }) => message)
    restart({ ...world, observe: () => told.push(...phases()) })
    expect(told).toContain('its lease ran out while the controller was away')
  })
})
