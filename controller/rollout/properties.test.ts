import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sizeOf } from '../desired-state/amount.ts'
import type { Amount, Strategy } from '../desired-state/types.ts'
import {
  dispatch,
  enrol,
  imageOf,
  move,
  newWorld,
  pass,
  recordsOf,
  restart,
  settleAll,
  silence,
  connect,
  want,
} from '../../test/support/rollout-world.ts'
import type { Store, World } from '../../test/support/rollout-world.ts'
import { apply, describeRollouts, explain, open } from './engine.ts'
import { orderKey } from './order.ts'
import { isEnded, isUnavailable } from './phases.ts'
import type { Decision, GrantRecord, Records, RolloutEvent, Write } from './types.ts'
import { waveIndexOf } from './waves.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

type Operation =
  | {
      readonly kind: 'git' | 'move' | 'silence' | 'back' | 'pass' | 'crash' | 'again'
      readonly value: number
    }
  | { readonly kind: 'restart' | 'pause' | 'resume' | 'join' | 'timer' | 'settle' | 'none' }

const amount: fc.Arbitrary<Amount> = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map((count): Amount => ({ kind: 'count', count })),
  fc.integer({ min: 1, max: 100 }).map((percent): Amount => ({ kind: 'percent', percent })),
)

const strategy: fc.Arbitrary<Strategy> = fc
  .record({
    waves: fc.array(fc.record({ upTo: amount, soak: fc.constantFrom(0, 0, 2 * minuteMs) }), { maxLength: 3 }),
    maxUnavailable: amount,
    max: fc.constantFrom<Amount>(
      { kind: 'count', count: 0 },
      { kind: 'count', count: 1 },
      { kind: 'percent', percent: 40 },
    ),
    onFailure: fc.constantFrom('Pause' as const, 'Rollback' as const),
  })
  .map(({ max, maxUnavailable, onFailure, waves }) => ({
    name: 'any',
    waves: waves.map(({ soak, upTo }, index) => ({ name: `w${index}`, upTo, soakMs: soak })),
    maxUnavailable,
    failureLimit: { firstWave: { max, minAttempted: 1 }, later: { max, minAttempted: 1 } },
    onFailure: { firstWave: onFailure, later: onFailure },
    deadlines: {
      downloadMs: 30 * minuteMs,
      activateMs: 5 * minuteMs,
      healthMs: 5 * minuteMs,
      waveMs: 4 * hourMs,
    },
    health: { checks: [], stableForMs: 0 },
  }))

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('move' as const), value: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.constantFrom<Operation>({ kind: 'timer' }, { kind: 'settle' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'git' as const,
        'silence' as const,
        'back' as const,
        'pass' as const,
        'crash' as const,
        'again' as const,
      ),
      value: fc.nat(7),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Operation>(
      { kind: 'restart' },
      { kind: 'pause' },
      { kind: 'resume' },
      { kind: 'join' },
      { kind: 'none' },
    ),
  },
)

type Case = { readonly hosts: number; readonly plan: Strategy; readonly operations: readonly Operation[] }
const cases: fc.Arbitrary<Case> = fc.record({
  hosts: fc.integer({ min: 1, max: 8 }),
  plan: strategy,
  operations: fc
    .array(operation, { maxLength: 80 })
    .map((operations): readonly Operation[] => [
      { kind: 'git', value: 0 },
      { kind: 'settle' },
      { kind: 'git', value: 1 },
      ...operations,
    ]),
})

function start({ hosts }: Case, check: (world: World, decision: Decision) => void = () => undefined): World {
  const world: World = newWorld((_event, decision) => check(world, decision))
  world.broken.add(imageOf('2.0.0').digest)
  for (let index = 0; index < hosts; index += 1) enrol(world, `h${index}`, imageOf('0.0.0').digest)
  return world
}

function commit(world: World, plan: Strategy, version: string): void {
  const wanted = {
    name: 'edge',
    selector: { kind: 'all' as const },
    strategy: plan,
    suspend: false,
    revision: `rev-${version}`,
    image: imageOf(version),
  }
  want(world, version === '' ? [] : [wanted], `commit-${version}`)
}

function perform(world: World, plan: Strategy, operation: Operation): void {
  const agents = [...world.agents.values()]
  const agent = 'value' in operation ? agents[operation.value % agents.length] : undefined
  const rolloutId = world.store.fleets.get('edge')?.rolloutId ?? 'none'
  switch (operation.kind) {
    case 'git':
      return commit(world, plan, ['1.0.0', '2.0.0', '3.0.0', '4.0.0'][operation.value % 4] as string)
    case 'move':
      return void (agent && move(world, agent))
    case 'silence':
      return agent && silence(world, agent)
    case 'back':
      if (agent) agent.behaviour = 'good'
      return agent && connect(world, agent)
    case 'again':
      return agent && repeat(world, agent.hostId)
    case 'pass':
      return pass(world, operation.value * 7 * minuteMs)
    case 'crash':
      world.crashAfterWrites = operation.value % 4
      return
    case 'restart':
      return restart(world)
    case 'pause':
    case 'resume':
      return dispatch(world, { kind: operation.kind, rolloutId, actor: 'kim', reason: '' })
    case 'join':
      return void enrol(world, `j${agents.length}`, imageOf('0.0.0').digest)
    case 'timer':
      return dispatch(world, { kind: 'timer' })
    case 'settle':
      return settleAll(world)
    case 'none':
      return commit(world, plan, '')
  }
}

/** At-least-once delivery: the same report again writes nothing about its host. */
function repeat(world: World, hostId: string): void {
  const report = world.store.hosts.get(hostId)?.report
  const before = JSON.stringify(
    [...world.store.grants.values()].filter((grant) => grant.hostId === hostId && isEnded(grant.phase)),
  )
  if (report === undefined) return
  dispatch(world, { kind: 'report', hostId, report })
  const after = [...world.store.grants.values()].filter((grant) => grant.hostId === hostId)
  for (const grant of JSON.parse(before) as GrantRecord[]) {
    expect(after.some((now) => now.rolloutId === grant.rolloutId && now.attempt >= grant.attempt)).toBe(true)
  }
}

function leasesOf(store: Store, writes: readonly Write[]): readonly GrantRecord[] {
  return writes.flatMap((write) => {
    if (write.kind !== 'grant' || isEnded(write.record.phase)) return []
    const { activateUntilMs, attempt, hostId, rolloutId } = write.record
    const before = store.grants.get(`${rolloutId} ${hostId}`)
    const isNew = before?.attempt !== attempt || (before.activateUntilMs === null && activateUntilMs !== null)
    return isNew && !isEnded(write.record.phase) ? [write.record] : []
  })
}

/** Judges a decision against what was durable before it. */
function checkDecision(world: World, decision: Decision): void {
  const { store } = world
  const leases = leasesOf(store, decision.writes)
  const denied = new Set(store.fleets.get('edge')?.denied.map(({ digest }) => digest))
  for (const intent of decision.publishes) {
    if (intent.stageUntilMs === null && intent.activateUntilMs === null) continue
    expect(intent.deny).not.toContain(intent.image.digest)
  }
  for (const lease of leases) {
    const rollout = store.rollouts.get(lease.rolloutId)
    expect(rollout, 'a grant behind a durable header').toBeDefined()
    if (rollout === undefined) continue
    expect(
      denied.has(lease.direction === 'Back' ? (rollout.from?.image.digest ?? '') : rollout.image.digest),
    ).toBe(false)
    const resumed = decision.writes.some(
      (write) => write.kind === 'rollout' && write.record.state.kind === 'Progressing',
    )
    if (rollout.state.kind === 'Paused') expect(resumed).toBe(true)
    expect(world.store.fleets.get('edge')?.rolloutId).toBe(lease.rolloutId)
    const key = orderKey(rollout.revision, lease.hostId)
    const isTail = (store.enrolments.get(lease.hostId)?.enrolledAtMs ?? 0) > rollout.startedAtMs
    if (rollout.state.kind !== 'Progressing' || isTail) continue
    const before = rollout.waves.slice(0, waveIndexOf(rollout.waves, key))
    expect(before.every((wave) => wave.state === 'Succeeded' || wave.state === 'Skipped')).toBe(true)
  }
  if (leases.some((lease) => lease.activateUntilMs !== null)) checkCap(store, decision)
}

function checkCap(store: Store, decision: Decision): void {
  const grants = new Map(store.grants)
  for (const write of decision.writes) {
    if (write.kind === 'grant') grants.set(`${write.record.rolloutId} ${write.record.hostId}`, write.record)
  }
  const unavailable = [...grants.values()].filter(isUnavailable).length
  const rollout = store.rollouts.get(store.fleets.get('edge')?.rolloutId ?? '')
  const max = rollout?.strategy.maxUnavailable ?? { kind: 'count', count: 0 }
  expect(unavailable).toBeLessThanOrEqual(sizeOf(max, store.enrolments.size, 'up-at-least-one'))
}

function checkCounts(world: World): void {
  for (const rollout of describeRollouts(world.state, 'edge', { wallMs: world.wallMs, elapsedMs: 0 })) {
    for (const wave of rollout.waves) {
      const parts = wave.hostsSucceeded + wave.hostsFailed + wave.hostsInProgress + wave.hostsSkipped
      expect(parts).toBeLessThanOrEqual(wave.hostsTotal)
    }
  }
  for (const id of world.agents.keys()) {
    expect(explain(world.state, id, { wallMs: world.wallMs, elapsedMs: 0 }).kind).not.toBe('')
  }
}

/** Runs a second engine, opened from the records, and the first one to rest: both must have written the same. */
function checkReopened(world: World): void {
  const twin = structuredClone(recordsOf(world.store))
  const opened = open(twin, { wallMs: world.wallMs, elapsedMs: 0 })
  let state = opened.state
  const records = indexed(twin)
  const take = (decision: Decision): Decision => {
    for (const write of decision.writes) records.set(keyOf(write), write)
    return decision
  }
  take(opened.decision)
  const events: RolloutEvent[] = [...world.agents.values()]
    .filter((agent) => agent.behaviour !== 'silent')
    .map((agent) => ({ kind: 'connection', hostId: agent.hostId, connected: true }))
  if (world.wanted !== null) events.push(world.wanted)
  events.push({ kind: 'timer' })
  let wakeInMs: number | null = 0
  for (let event = events.shift(); event !== undefined || wakeInMs === 0; event = events.shift()) {
    const step = apply(state, event ?? { kind: 'timer' }, { wallMs: world.wallMs, elapsedMs: 0 })
    state = step.state
    wakeInMs = take(step.decision).wakeInMs
  }
  do dispatch(world, { kind: 'timer' })
  while (world.wakeInMs === 0)
  expect(bare(records)).toEqual(bare(indexed(recordsOf(world.store))))
}

function keyOf({ kind, record }: Write): string {
  return `${kind} ${'id' in record ? record.id : 'attempt' in record ? `${record.rolloutId} ${record.hostId}` : 'hostId' in record ? record.hostId : record.fleet}`
}

function indexed(records: Records): Map<string, Write> {
  const writes: Write[] = [
    ...records.fleets.map((record): Write => ({ kind: 'fleet', record })),
    ...records.rollouts.map((record): Write => ({ kind: 'rollout', record })),
    ...records.grants.map((record): Write => ({ kind: 'grant', record })),
  ]
  return new Map(writes.map((write) => [keyOf(write), write]))
}

function bare(records: ReadonlyMap<string, Write>): unknown {
  return [...records.values()]
    .filter((write) => write.kind !== 'host')
    .map((write) => [keyOf(write), JSON.stringify(write.record)])
    .toSorted()
}

describe('any fleet under any order of events', () => {
  it('never exceeds a cap, leaves the order of waves, grants what is denied or grants while paused', () => {
    fc.assert(
      fc.property(cases, (random) => {
        const world = start(random, checkDecision)
        for (const each of random.operations) {
          perform(world, random.plan, each)
          checkCounts(world)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('decides the same when opened anew from its records', () => {
    fc.assert(
      fc.property(cases, (random) => {
        const world = start(random)
        for (const each of random.operations) {
          perform(world, random.plan, each)
          world.crashAfterWrites = null
          checkReopened(world)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('brings every host to a good revision in the end when all answer', () => {
    fc.assert(
      fc.property(cases, (random) => {
        const world = start(random)
        for (const each of random.operations) perform(world, random.plan, each)
        world.crashAfterWrites = null
        for (const agent of world.agents.values()) {
          agent.behaviour = 'good'
          connect(world, agent)
        }
        commit(world, random.plan, '9.0.0')
        pass(world, 8 * hourMs)
        expect(
          describeRollouts(world.state, 'edge', { wallMs: world.wallMs, elapsedMs: 0 })[0]?.message,
        ).toMatch(/^runs 9.0.0/)
        expect([...world.agents.values()].every((agent) => agent.digest === imageOf('9.0.0').digest)).toBe(
          true,
        )
      }),
      { numRuns: 200 },
    )
  })

  it('ends or pauses every rollout with a reason, whoever is silent', () => {
    fc.assert(
      fc.property(cases, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (random, silent) => {
        const world = start(random)
        commit(world, random.plan, '1.0.0')
        for (const each of random.operations.slice(0, 20)) perform(world, random.plan, each)
        world.crashAfterWrites = null
        let index = 0
        for (const agent of world.agents.values()) if (silent[index++ % 8]) silence(world, agent)
        commit(world, random.plan, '3.0.0')
        pass(world, 30 * hourMs)
        const [newest] = describeRollouts(world.state, 'edge', { wallMs: world.wallMs, elapsedMs: 0 })
        expect(['Succeeded', 'Paused', 'RolledBack', 'RollbackFailed']).toContain(newest?.state)
        expect(newest?.message).not.toBe('')
      }),
      { numRuns: 100 },
    )
  })

  it('does not depend on the order in which hosts are known', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), strategy, fc.integer(), (hosts, plan, seed) => {
        const ids = Array.from({ length: hosts }, (_, index) => `h${index}`)
        const results = [
          ids,
          ids.toSorted((a, b) => Number(orderKey(`${seed}`, a) < orderKey(`${seed}`, b)) * 2 - 1),
        ].map((order) => {
          const world = newWorld()
          for (const id of order) enrol(world, id, imageOf('0.0.0').digest)
          commit(world, plan, '1.0.0')
          settleAll(world, ids)
          pass(world, hourMs)
          return bare(indexed(recordsOf(world.store)))
        })
        expect(results[0]).toEqual(results[1])
      }),
      { numRuns: 100 },
    )
  })
})
