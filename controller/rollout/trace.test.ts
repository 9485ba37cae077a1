import { expect, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, nowOf, phaseOf, rolledOut, say, strategyWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, restart, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { Fleet, Host } from './state.ts'
import { traceFleet, traceHost } from './trace.ts'
import type { Hop } from './trace.ts'

const said = { actor: 'kim', reason: 'looks good' }

const ofHost = (world: World, id = 'h0'): readonly Hop[] =>
  traceHost(world.state, world.state.hosts.get(id) as Host, nowOf(world))
const ofFleet = (world: World): readonly Hop[] =>
  traceFleet(world.state, world.state.fleets.get('edge') as Fleet, nowOf(world))
const kinds = (hops: readonly Hop[]): readonly string[] => hops.map(({ kind }) => kind)
const the = (hops: readonly Hop[], kind: Hop['kind']): Hop | undefined =>
  hops.find((hop) => hop.kind === kind)

test('follows what a host runs from the commit to the boot', () => {
  const world = rolledOut('1.0.0', 2)
  const hops = ofHost(world)
  expect(kinds(hops)).toEqual(['Commit', 'Digest', 'Rollout', 'Wave', 'Grant', 'Boot'])
  const { digest, repository } = imageOf('1.0.0')
  expect(hops.map(({ name }) => name)).toMatchObject([
    'c1',
    `${repository}@${digest}`,
    'edge.1',
    'all',
    'attempt 1',
    {},
  ])
  expect(the(hops, 'Digest')?.message).toBe('version 1.0.0')
  expect(the(hops, 'Boot')?.message).toContain('health Passed')
  expect(the(hops, 'Boot')?.message).not.toContain('not that image')
})

test('names who approved and who promoted, where and when', () => {
  const world = rolledOut('1.0.0', 2)
  const canary = {
    ...waveOf('canary', { kind: 'count', count: 1 }),
    approval: { approvers: 1, expiresAfterMs: 3_600_000 },
  }
  const rest = waveOf('rest', { kind: 'percent', percent: 100 }, 3_600_000)
  want(world, [fleetWith('2.0.0', { strategy: strategyWith({ waves: [canary, rest] }) })], 'c2')
  settleAll(world)
  dispatch(world, { kind: 'approve', rolloutId: 'edge.2', ...said })
  settleAll(world)
  dispatch(world, { kind: 'promote', rolloutId: 'edge.2', actor: 'lee', reason: '' })
  settleAll(world)
  const hops = ofFleet(world)
  const orders = hops.filter(({ kind }) => kind === 'Order')
  expect(orders.map(({ name, actor, message }) => [name, actor, message])).toEqual([
    ['approve', 'kim', 'looks good'],
    ['promote', 'lee', ''],
  ])
  const waves = hops.filter(({ kind }) => kind === 'Wave')
  expect(waves.map(({ name, actor, message }) => [name, actor, message])).toEqual([
    ['canary', 'kim', 'done, approved by kim: "looks good"'],
    ['rest', 'lee', 'soaked 1h0m, promoted by lee'],
  ])
  expect(the(hops, 'Rollout')?.message).toMatch(/^Succeeded, from sha256:1/)
  expect(the(hops, 'Grant')?.message).toBe('given to 2 of 2 hosts')
  expect(the(hops, 'Boot')?.message).toBe('2 of 2 hosts run it')
})

test('says that a host runs something else, and what it cannot name', () => {
  const world = rolledOut('1.0.0')
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('there is no host')
  const elsewhere = { bootedDigest: null, bootedManifestDigest: `sha256:${'9'.repeat(64)}` }
  say(world, agent, elsewhere)
  expect(the(ofHost(world), 'Boot')?.message).toMatch(/^runs sha256:9+, not that image/)
  say(world, agent, { bootedDigest: null, bootedManifestDigest: null })
  expect(the(ofHost(world), 'Boot')?.message).toContain('runs an image that it cannot name')
  say(world, agent, { ...elsewhere, bootId: '' })
  expect(the(ofHost(world), 'Boot')).toBeUndefined()
})

test('a host that went back is traced to what it went back to', () => {
  const world = rolledOut('1.0.0')
  world.broken.add(imageOf('2.0.0').digest)
  want(world, [fleetWith('2.0.0')], 'c2')
  settleAll(world)
  const hops = ofHost(world)
  expect(the(hops, 'Rollout')?.name).toBe('edge.2')
  expect(the(hops, 'Grant')?.message).not.toBe('')
})

/** The first wave is one host, and the other one has not had its turn. */
function withCanary(soakMs: number): {
  readonly world: World
  readonly canary: string
  readonly other: string
} {
  const world = rolledOut('1.0.0', 2)
  const waves = [
    waveOf('canary', { kind: 'count', count: 1 }, soakMs),
    waveOf('rest', { kind: 'percent', percent: 100 }),
  ]
  want(world, [fleetWith('2.0.0', { strategy: strategyWith({ waves }) })], 'c2')
  dispatch(world, { kind: 'timer' })
  const [canary, other] = phaseOf(world, 'h0') === 'Granted' ? ['h0', 'h1'] : ['h1', 'h0']
  return { world, canary, other } as const
}

test('a host that waits for its wave is traced to what it will get, without a grant', () => {
  const { other, world } = withCanary(3_600_000)
  settleAll(world)
  const hops = ofHost(world, other)
  expect(kinds(hops)).toEqual(['Commit', 'Digest', 'Rollout', 'Wave', 'Boot'])
  expect(the(hops, 'Digest')?.name).toBe(`os@${imageOf('2.0.0').digest}`)
  expect(the(hops, 'Wave')).toMatchObject({ name: 'rest', message: 'waits for wave "canary"' })
  expect(the(hops, 'Boot')?.message).toContain('not that image')
})

test('a host that was taken back is traced to the attempt that did it', () => {
  const { canary, other, world } = withCanary(0)
  for (const agent of world.agents.values()) if (agent.hostId === other) agent.behaviour = 'bad'
  settleAll(world)
  const hops = ofHost(world, canary)
  expect(the(hops, 'Digest')?.name).toBe(`os@${imageOf('1.0.0').digest}`)
  expect(the(hops, 'Grant')).toMatchObject({ name: 'attempt 2, back', message: 'succeeded' })
  expect(the(hops, 'Boot')?.message).not.toContain('not that image')
})

test('ends where nothing happened yet', () => {
  const world = newWorld()
  enrol(world, 'h0', imageOf('0.0.0').digest)
  expect(kinds(ofHost(world))).toEqual(['Boot'])
  want(world, [fleetWith('1.0.0', { suspend: true })], 'c1')
  expect(ofFleet(world)).toEqual([])
  dispatch(world, { kind: 'halt', fleet: 'edge', ...said })
  expect(kinds(ofFleet(world))).toEqual(['Order'])
  want(world, [fleetWith('1.0.0', { image: { ...imageOf('1.0.0'), version: '' } })], 'c2')
  dispatch(world, { kind: 'unhalt', fleet: 'edge', ...said })
  dispatch(world, { kind: 'timer' })
  dispatch(world, { kind: 'deny', fleet: 'edge', digest: imageOf('9.0.0').digest, ...said })
  expect(the(ofHost(world), 'Digest')?.message).toBe('an image without a version')
})

test('a host that left its fleet is traced to the last rollout that granted it anything', () => {
  const world = rolledOut('1.0.0')
  want(world, [], 'c2')
  settleAll(world)
  restart(world)
  expect(the(ofHost(world), 'Rollout')?.name).toBe('edge.1')
})
