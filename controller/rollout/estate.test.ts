import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import { fleetWith, rolledOut, say, strategyWith } from '../../test/support/rollout-fleet.ts'
import {
  dispatch,
  enrol,
  newWorld,
  pass,
  settleAll,
  startMs,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { openRecords } from '../../test/support/stored-records.ts'
import { describeEstate, imagesToKnow } from './estate.ts'
import type { Estate, EstateHost } from './estate.ts'

const [zero, one, two] = ['0.0.0', '1.0.0', '2.0.0'].map((version) => imageOf(version).digest) as [
  string,
  string,
  string,
]
const all = (): boolean => true
const estateOf = (world: World): Estate => describeEstate(world.state, all)

function agentOf(world: World): SimulatedAgent {
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  return agent
}

function hostOf(world: World): EstateHost {
  const [host] = estateOf(world).hosts
  if (host === undefined) throw new Error('no host')
  return host
}

it('says since when each host runs what it runs, and what it ran before', () => {
  const world = rolledOut('1.0.0')
  pass(world, 60_000)
  want(world, [fleetWith('2.0.0')], 'c2')
  settleAll(world)
  const sinceMs = world.wallMs
  expect(hostOf(world)).toMatchObject({
    booted: two,
    previous: one,
    sinceMs,
    phase: 'Succeeded',
    fleet: 'edge',
  })
  pass(world, 60_000)
  say(world, agentOf(world), { bootId: 'another', etcConflicts: ['/etc/motd'] })
  expect(hostOf(world)).toMatchObject({ booted: two, previous: one, sinceMs })
})

it('names for every image who wants it, whose stable it is, who denies it and when its first rollout began', () => {
  const world = rolledOut('1.0.0')
  const deny = [{ digest: one, reason: 'CVE-1' }]
  const strategy = strategyWith()
  const pins = [imageOf('5.0.0')]
  const requires = [{ below: '0.9.0', via: imageOf('0.9.0'), reason: 'new loader' }]
  want(world, [fleetWith('2.0.0', { deny, strategy, pins, requires, suspend: true })], 'c2')
  const { images } = estateOf(world)
  expect([...images.keys()].toSorted()).toEqual(
    ['0.9.0', '1.0.0', '2.0.0', '5.0.0'].map((version) => imageOf(version).digest).toSorted(),
  )
  expect(images.get(one)).toMatchObject({
    wantedBy: new Set(),
    stableOf: new Set(['edge']),
    deniedIn: new Set(['edge']),
    firstRolloutMs: startMs,
  })
  expect(images.get(two)).toMatchObject({ wantedBy: new Set(['edge']), firstRolloutMs: null })
})

it('counts the first of several rollouts of one image', () => {
  const world = rolledOut('1.0.0')
  pass(world, 1_000)
  want(world, [fleetWith('2.0.0')], 'c2')
  settleAll(world)
  pass(world, 1_000)
  want(world, [fleetWith('1.0.0', { downgrade: 'Allow', revision: 'again' })], 'c3')
  settleAll(world)
  expect(estateOf(world).images.get(one)?.firstRolloutMs).toBe(startMs)
  expect(estateOf(world).images.get(one)?.stableOf).toEqual(new Set(['edge']))
})

it('knows what a host has staged, what it boots next, and nothing of either while these run', () => {
  const world = rolledOut('1.0.0')
  say(world, agentOf(world), { phase: 'Staged', targetDigest: two, defaultDigest: two })
  expect(hostOf(world)).toMatchObject({ booted: one, staged: two, next: two })
  say(world, agentOf(world), { phase: 'Healthy', targetDigest: two, defaultDigest: one })
  expect(hostOf(world)).toMatchObject({ booted: one, staged: '', next: '' })
})

it('takes what a host fell back from for nothing that it would go back to', () => {
  const world = rolledOut('1.0.0')
  say(world, agentOf(world), { bootedDigest: two, bootedManifestDigest: null })
  expect(hostOf(world)).toMatchObject({ booted: two, previous: one })
  say(world, agentOf(world), { deniedDigests: [two] })
  expect(hostOf(world)).toMatchObject({ booted: one, previous: '' })
})

it('finds the image of a host that knows only its manifest, and leaves a stranger as it is', () => {
  const world = rolledOut('1.0.0')
  const manifest = imageOf('1.0.0').manifests['amd64'] as string
  say(world, agentOf(world), { bootedDigest: null, bootedManifestDigest: manifest })
  expect(hostOf(world)).toMatchObject({ booted: one, bootedManifest: manifest })
  say(world, agentOf(world), { bootedDigest: null, bootedManifestDigest: zero })
  expect(hostOf(world)).toMatchObject({ booted: zero })
  say(world, agentOf(world), { bootedDigest: null, bootedManifestDigest: null })
  expect(hostOf(world)).toMatchObject({ booted: '' })
})

it('tells a host without a fleet, one that never spoke, and none that is revoked', () => {
  const world = newWorld()
  enrol(world, 'b', zero, { site: 'eu' })
  const enrolment = { hostId: 'a', name: 'a', labels: {}, enrolledAtMs: startMs }
  dispatch(world, { kind: 'enrolled', enrolment })
  const revoked = { atMs: startMs, actor: 'kim', reason: 'stolen' }
  dispatch(world, { kind: 'enrolled', enrolment: { ...enrolment, hostId: 'c', name: 'c', revoked } })
  expect(estateOf(world).hosts).toMatchObject([
    { name: 'a', fleet: '', booted: '', phase: 'Pending', sinceMs: 0 },
    { name: 'b', fleet: '', booted: zero, labels: { site: 'eu' }, sinceMs: startMs },
  ])
})

it('names nothing for a fleet whose image is not found yet', () => {
  const world = newWorld()
  want(world, [fleetWith('1.0.0', { image: null, revision: '' })], 'c1')
  expect([...estateOf(world).images]).toEqual([])
})

it('holds nothing of a fleet that may not be seen', () => {
  const world = rolledOut('1.0.0')
  want(world, [fleetWith('2.0.0')], 'c2')
  settleAll(world)
  const { hosts, images } = describeEstate(world.state, (fleet) => fleet !== 'edge')
  expect({ hosts, images: [...images] }).toEqual({ hosts: [], images: [] })
})

it('takes a host that was heard before this was kept to run its image since it was last heard', () => {
  const state = openRecords({ hosts: { h0: {}, h1: {} } })
  expect(describeEstate(state, all).hosts[0]).toMatchObject({ sinceMs: 900, previous: '' })
})

it('looks for what a host runs and no fleet names where its fleet has its images', () => {
  const world = rolledOut('1.0.0', 4)
  const agents = [...world.agents.values()]
  const manifest = imageOf('1.0.0').manifests['amd64'] as string
  const stranger = imageOf('9.0.0').digest
  const booted = [
    [stranger, null],
    [null, manifest],
    [null, null],
  ] as const
  for (const [index, [bootedDigest, bootedManifestDigest]] of booted.entries()) {
    say(world, agents[index] as SimulatedAgent, { bootedDigest, bootedManifestDigest })
  }
  enrol(world, 'unheard', zero)
  const known = imagesToKnow(world.state)
  expect(new Set(known.keys())).toEqual(new Set([one, stranger, zero]))
  expect(new Set(known.values())).toEqual(new Set(['os']))
})

it('asks nobody for what hosts run whose fleet is not known', () => {
  const world = newWorld()
  enrol(world, 'a', zero)
  expect([...imagesToKnow(world.state)]).toEqual([])
  const enrolment = { hostId: 'b', name: 'b', labels: {}, enrolledAtMs: startMs }
  dispatch(world, { kind: 'enrolled', enrolment })
  want(world, [fleetWith('1.0.0', { image: null, revision: '' })], 'c1')
  expect([...imagesToKnow(world.state)]).toEqual([])
  const nobody = { kind: 'match', labels: { fleet: 'none' }, expressions: [] } as const
  want(world, [fleetWith('1.0.0', { selector: nobody })], 'c2')
  expect([...imagesToKnow(world.state).keys()]).toEqual([one])
})
