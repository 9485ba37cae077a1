import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sizeOf } from '../desired-state/amount.ts'
import type { Strategy } from '../desired-state/types.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { nowOf } from '../../test/support/rollout-fleet.ts'
import { cases, commit, hourMs, perform, startCase, strategy } from '../../test/support/rollout-cases.ts'
import { checkReopened, durable } from '../../test/support/rollout-twin.ts'
import { connect, enrol, newWorld, pass, settleAll, silence } from '../../test/support/rollout-world.ts'
import type { Store } from '../../cli/simulator/store.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { describeRollouts, explain } from './engine.ts'
import { orderKey } from './order.ts'
import { isEnded, isStaging, takesSlot } from './phases.ts'
import type { Decision, Write } from './decision.ts'
import type { GrantRecord, RolloutRecord } from './records.ts'
import { waveIndexOf } from './waves.ts'

const maxDownloads = 50

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
    const rollout = store.rollouts.get(lease.rolloutId) as RolloutRecord
    const image = lease.direction === 'Back' ? rollout.from?.image : rollout.image
    expect(denied.has(image?.digest ?? '')).toBe(false)
    expect(rollout.state.kind).not.toBe('Paused')
    expect(store.fleets.get('edge')?.rolloutId).toBe(lease.rolloutId)
    checkOrder(store, rollout, lease)
    if (lease.activateUntilMs !== null) checkBroken(store, decision, lease)
  }
  if (leases.some((lease) => lease.activateUntilMs !== null)) checkCap(store, decision)
  expect(grantsAfter(store, decision).filter(isStaging).length).toBeLessThanOrEqual(maxDownloads)
}

/** Only what the host itself said last saves it from taking a slot. */
function checkBroken(store: Store, decision: Decision, lease: GrantRecord): void {
  const said = decision.writes.filter((write) => write.kind === 'host')
  const told = said.find(({ record }) => record.hostId === lease.hostId)?.record
  const report = (told ?? store.hosts.get(lease.hostId))?.report
  expect(lease.brokenBefore).toBe(report?.health.verdict === 'Failed')
}

/** Joiners aside, nobody is granted anything before every earlier wave is durably over. */
function checkOrder(store: Store, rollout: RolloutRecord, lease: GrantRecord): void {
  const isTail = (store.enrolments.get(lease.hostId)?.enrolledAtMs ?? 0) > rollout.startedAtMs
  if (rollout.state.kind !== 'Progressing' || isTail) return
  const index = waveIndexOf(rollout.waves, orderKey(rollout.revision, lease.hostId), {})
  const before = rollout.waves.slice(0, index)
  expect(before.every((wave) => wave.state === 'Succeeded' || wave.state === 'Skipped')).toBe(true)
}

function grantsAfter(store: Store, decision: Decision): readonly GrantRecord[] {
  const grants = new Map(store.grants)
  for (const write of decision.writes) {
    if (write.kind === 'grant') grants.set(`${write.record.rolloutId} ${write.record.hostId}`, write.record)
  }
  return [...grants.values()]
}

function checkCap(store: Store, decision: Decision): void {
  const unavailable = grantsAfter(store, decision).filter(takesSlot).length
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

describe('any fleet under any order of events', () => {
  it('never exceeds a cap, leaves the order of waves, grants what is denied or grants while paused', () => {
    fc.assert(
      fc.property(cases, (random) => {
        const world = startCase(random, checkDecision)
        for (const each of random.operations) {
          perform(world, random.plan, each)
          checkCounts(world)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('never lets more hosts download at once than there are slots, and all of them in the end', () => {
    fc.assert(
      fc.property(
        cases,
        fc.integer({ min: maxDownloads + 1, max: 2 * maxDownloads + 9 }),
        (random, hosts) => {
          const plan: Strategy = { ...random.plan, maxUnavailable: { kind: 'percent', percent: 100 } }
          const world = startCase({ ...random, hosts }, checkDecision)
          for (const each of random.operations) perform(world, plan, each)
          world.crashAfterWrites = null
          // Three that are still to be cut off would rightly pause the last rollout.
          for (const agent of world.agents.values()) {
            agent.behaviour = 'good'
            connect(world, agent)
          }
          commit(world, { ...plan, waves: [] }, '5.0.0')
          settleAll(world)
          expect(
            [...world.agents.values()].filter(({ digest }) => digest !== imageOf('5.0.0').digest),
          ).toEqual([])
        },
      ),
      { numRuns: 15 },
    )
  })

  it('decides the same when opened anew from its records', () => {
    fc.assert(
      fc.property(cases, (random) => {
        const world = startCase(random)
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
        const world = startCase(random)
        for (const each of random.operations) perform(world, random.plan, each)
        world.crashAfterWrites = null
        for (const agent of world.agents.values()) {
          agent.behaviour = 'good'
          agent.ill = false
          connect(world, agent)
        }
        pass(world, 8 * hourMs)
        const { denied, stable } = world.store.fleets.get('edge') ?? { denied: [], stable: null }
        const isHeld =
          world.wanted?.fleets.length === 0 ||
          describeRollouts(world.state, 'edge', nowOf(world))[0]?.pausedFor !== ''
        for (const { digest } of denied) {
          const stays = [...world.agents.values()].some((agent) => agent.digest === digest)
          expect(stays && stable !== null && !isHeld).toBe(false)
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
        const world = startCase(random)
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
          return durable(world.store)
        })
        expect(results[0]).toEqual(results[1])
      }),
      { numRuns: 100 },
    )
  })
})
