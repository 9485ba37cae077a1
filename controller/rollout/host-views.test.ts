import { expect, it } from 'vitest'
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
import { dispatch, move, settleAll, silence, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { describeHosts, describeRollouts } from './engine.ts'
import type { Host } from './state.ts'
import { whyHost } from './why.ts'

const failure = {
  code: 'HealthFailed',
  message: 'web-up failed',
  evidence: ['entry bootfleet-200-2 used 1 of 3 tries', 'web-up: exit status 1'],
}

function withOneFailed(): World {
  const world = rolledOut('1.0.0')
  world.broken.add(imageOf('2.0.0').digest)
  const limit = { max: { kind: 'count', count: 0 }, minAttempted: 1 } as const
  const strategy = strategyWith({
    failureLimit: { firstWave: limit, later: limit },
    onFailure: { firstWave: 'Pause', later: 'Pause' },
  })
  want(world, [fleetWith('2.0.0', { strategy })], 'c2')
  settleAll(world)
  return world
}

it('shows what a host saw of its failed boots, what boots next and its conflicts in /etc', () => {
  const world = withOneFailed()
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  const defaultDigest = imageOf('2.0.0').digest
  say(world, agent, { failure, defaultDigest, etcConflicts: ['/etc/motd'] })
  const [host] = describeHosts(world.state, 'edge', nowOf(world))
  expect(host).toMatchObject({ defaultDigest, etcConflicts: ['/etc/motd'], evidence: failure.evidence })
  expect(rolloutView(world).attention).toMatchObject([
    { hostName: 'h0', phase: 'RolledBack', evidence: failure.evidence[0] },
  ])
  const why = whyHost(world.state, world.state.hosts.get('h0') as Host, nowOf(world))
  expect(why).toMatchObject({ evidence: failure.evidence, failedDigest: imageOf('2.0.0').digest })
})

it('shows no evidence of another step, nor of a host that saw nothing', () => {
  const world = withOneFailed()
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  expect(rolloutView(world).attention).toMatchObject([{ evidence: '' }])
  say(world, agent, { failure, plan: null })
  expect(rolloutView(world).attention).toMatchObject([{ evidence: '' }])
  const why = whyHost(world.state, world.state.hosts.get('h0') as Host, nowOf(world))
  expect(why).toMatchObject({ evidence: [], failedDigest: '' })
  for (const { attention } of describeRollouts(world.state, null, nowOf(world)).slice(1)) {
    expect(attention).toEqual([])
  }
})

it('calls a host healthy on the image that came back once its checks passed, and not before', () => {
  const world = withOneFailed()
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  const healthAfter = (verdict: 'Failed' | 'Passed') => {
    say(world, agent, { phase: 'RolledBack', failure, health: { verdict, failedChecks: [] } })
    return describeHosts(world.state, 'edge', nowOf(world))[0]?.health
  }
  expect(healthAfter('Failed')).toBe('Unknown')
  expect(healthAfter('Passed')).toBe('Passed')
})

it('shows what holds a host beside its phase: pinned, held, drifted', () => {
  const world = rolledOut('1.0.0')
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  const conditions = () => describeHosts(world.state, 'edge', nowOf(world))[0]?.conditions
  const { digest } = imageOf('1.0.0')
  const declared = { name: agent.hostId, labels: {}, pin: digest, hold: { untilMs: null, reason: 'repair' } }
  want(world, [fleetWith('1.0.0')], 'c2', { hosts: [declared] })
  expect(conditions()).toEqual(['Pinned', 'Held'])
  say(world, agent, { bootedManifestDigest: null, bootedDigest: imageOf('0.5.0').digest })
  expect(conditions()).toEqual(['Pinned', 'Held', 'Drifted'])
  want(world, [fleetWith('1.0.0')], 'c3', { hosts: [] })
  expect(conditions()).toEqual([])
})

it('shows that no newly signed plan reaches a host, unless none is signed as no fleet has it', () => {
  const world = rolledOut('1.0.0')
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  const conditions = () => describeHosts(world.state, null, nowOf(world))[0]?.conditions
  say(world, agent, { plansStaleSinceMs: 1 })
  expect(conditions()).toEqual(['PlansStale'])
  want(world, [], 'none')
  expect(conditions()).toEqual(['NoFleet'])
})

it('shows how a host says that it keeps its keys, and nothing where it does not say', () => {
  const world = rolledOut('1.0.0')
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  const kept = () => describeHosts(world.state, null, nowOf(world))[0]?.keysKept
  expect(kept()).toBe('')
  say(world, agent, { keysKept: 'sealed' })
  expect(kept()).toBe('sealed')
})

it('says of a revoked host by whom and why, and that it belongs to no fleet', () => {
  const world = rolledOut('1.0.0', 2)
  const revoked = { atMs: world.wallMs, actor: 'kim', reason: 'stolen' }
  const enrolment = { hostId: 'h0', name: 'h0', labels: {}, enrolledAtMs: world.wallMs, revoked }
  dispatch(world, { kind: 'enrolled', enrolment })
  expect(describeHosts(world.state, null, nowOf(world))[0]).toMatchObject({
    conditions: ['Revoked', 'NoFleet'],
    fleet: '',
    reason: 'Revoked',
    message: 'revoked by kim: stolen',
  })
})

function moveTo(world: World, agent: SimulatedAgent, phase: SimulatedAgent['phase']): void {
  while (agent.phase !== phase) if (!move(world, agent)) throw new Error(`it never is ${phase}`)
}

it('names hosts in the order in which somebody should look: failed, undecided, waiting', () => {
  const world = rolledOut('1.0.0', 3)
  const [silent, undecided, failing] = [...world.agents.values()] as SimulatedAgent[]
  if (!silent || !undecided || !failing) throw new Error('no hosts')
  silence(world, silent)
  const strategy = strategyWith({
    maxUnavailable: { kind: 'percent', percent: 100 },
    onFailure: { firstWave: 'Pause', later: 'Pause' },
  })
  want(world, [fleetWith('2.0.0', { strategy })], 'c2')
  dispatch(world, { kind: 'timer' })
  undecided.behaviour = 'cutOff'
  failing.behaviour = 'bad'
  moveTo(world, undecided, 'RollingBack')
  moveTo(world, failing, 'RolledBack')
  // This failure has paused the rollout, so that the other host is not granted a second attempt.
  moveTo(world, undecided, 'RolledBack')
  const phases = rolloutView(world).attention.map(({ phase }) => phase)
  expect(phases).toEqual(['RolledBack', 'Inconclusive', 'Pending'])
})
