import { expect, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, nowOf, say, strategyWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, restart, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import type { PlanIntent } from './decision.ts'
import { describeHosts } from './engine.ts'
import type { GrantRecord } from './records.ts'
import type { HostReport } from './report.ts'
import type { Host } from './state.ts'
import type { ReleaseSignature, WantedFleet } from './wanted.ts'
import { whyHost } from './why.ts'

const signatureOf = (bundle: string): readonly ReleaseSignature[] => [{ kind: 'bundle', bundle }]

function signed(version: string, by: string, changes: Partial<WantedFleet> = {}): WantedFleet {
  return fleetWith(version, { image: { ...imageOf(version), signatures: signatureOf(by) }, ...changes })
}

const told = ({ image }: PlanIntent): string =>
  `${image.version} ${JSON.stringify(image.signatures) ?? 'unsigned'}`

function worldOf(intents: PlanIntent[]): World {
  const world = newWorld((_event, { publishes }) => void intents.push(...publishes))
  enrol(world, 'h0', imageOf('0.0.0').digest)
  return world
}

test('plans carry the signatures of their image, also those of a leader that has not read git yet', () => {
  const intents: PlanIntent[] = []
  const world = worldOf(intents)
  want(world, [signed('1.0.0', 'YQ==')], 'c1')
  settleAll(world)
  world.wanted = null
  restart(world)
  settleAll(world)
  expect(new Set(intents.map(told))).toEqual(new Set([`1.0.0 ${JSON.stringify(signatureOf('YQ=='))}`]))
})

test('a rollback is signed by those who sign now, if what it goes to was ever found signed by them', () => {
  const intents: PlanIntent[] = []
  const world = worldOf(intents)
  want(world, [signed('1.0.0', 'b2xk')], 'c1')
  settleAll(world)
  want(world, [signed('1.0.0', 'bmV3')], 'c1')
  settleAll(world)
  world.broken.add(imageOf('2.0.0').digest)
  const strategy = strategyWith({ onFailure: { firstWave: 'Rollback', later: 'Rollback' } })
  want(world, [signed('2.0.0', 'bmV3', { strategy })], 'c2')
  settleAll(world)
  const stable = world.state.fleets.get('edge')?.record.stable
  expect(stable?.image).toMatchObject({ version: '1.0.0', signatures: signatureOf('bmV3') })
})

const grantOf = (world: World): GrantRecord | undefined => world.state.hosts.get('h0')?.grants.get('edge.1')

/** A host that was just granted 1.0.0, and says that it does not follow the plan of this attempt. */
function refusing(attempt: number): World {
  const world = worldOf([])
  want(world, [fleetWith('1.0.0')], 'c1')
  while (grantOf(world) === undefined && world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  say(world, agent, refusalOf(attempt))
  return world
}

function refusalOf(attempt: number): Partial<HostReport> {
  const plan = { rollout: 'edge.1', generation: 1, attempt, term: 1, counter: 7 }
  const refused = { plan, code: 'ImageUnsigned', message: 'a signature by release key a1 is missing' }
  return { plan: null, phase: 'Idle', refused }
}

test('a host that refuses its plan is at an end, and says why', () => {
  const world = refusing(1)
  expect(grantOf(world)).toMatchObject({ phase: 'Rejected', stageUntilMs: null })
  const sentence = 'rejected: ImageUnsigned: a signature by release key a1 is missing'
  expect(whyHost(world.state, world.state.hosts.get('h0') as Host, nowOf(world)).message).toBe(sentence)
  expect(describeHosts(world.state, 'edge', nowOf(world))).toMatchObject([
    { message: sentence, refusedPlan: 'ImageUnsigned: a signature by release key a1 is missing' },
  ])
})

test('a plan of another attempt that a host refuses ends nothing, and is shown', () => {
  const world = refusing(2)
  expect(grantOf(world)).toMatchObject({ phase: 'Granted' })
  expect(describeHosts(world.state, 'edge', nowOf(world))[0]?.refusedPlan).toMatch(/^ImageUnsigned: /)
})

test('a refusal that is told again ends nothing twice', () => {
  const world = refusing(1)
  const ended = grantOf(world)
  world.wallMs += 60_000
  for (const agent of world.agents.values()) say(world, agent, { ...refusalOf(1), phaseEnteredAtMs: 1 })
  expect(grantOf(world)).toEqual(ended)
})

test('what git wants signed is written down when it changes, and only then', () => {
  const writes: string[] = []
  const world = newWorld((_event, decision) => void writes.push(...decision.writes.map(({ kind }) => kind)))
  enrol(world, 'h0', imageOf('0.0.0').digest)
  want(world, [signed('1.0.0', 'YQ==')], 'c1')
  settleAll(world)
  writes.length = 0
  want(world, [signed('1.0.0', 'YQ==')], 'c2')
  expect(writes).toEqual([])
  want(world, [signed('1.0.0', 'Yg==')], 'c3')
  expect(writes).toEqual(['fleet'])
})
