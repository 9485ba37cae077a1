import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sizeOf } from '../desired-state/amount.ts'
import type { Strategy, Window } from '../desired-state/types.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { cases, commit, hourMs, minuteMs, perform } from '../../test/support/rollout-cases.ts'
import { checkReopened } from '../../test/support/rollout-twin.ts'
import { connect, enrol, newWorld, pass, startMs } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { describeRollouts } from './engine.ts'
import { orderKey } from './order.ts'
import { isStaging, isUnavailable, takesSlot } from './phases.ts'
import { perMinuteAfter } from './rate.ts'
import type { Decision } from './decision.ts'
import type { GrantRecord, RolloutRecord } from './records.ts'
import { activeWaveIndex, waveIndexOf } from './waves.ts'

const sites = ['berlin', 'rome', 'oslo']
const openFromMs = 6 * hourMs
const openForMs = 3 * hourMs

const window: Window = {
  kind: 'Allow',
  days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
  startMinute: openFromMs / minuteMs,
  durationMs: openForMs,
  timeZone: 'UTC',
  actions: ['Activate'],
}

const limits = fc.record({
  perSite: fc.integer({ min: 1, max: 2 }),
  downloads: fc.integer({ min: 1, max: 4 }),
  prefetch: fc.constantFrom('NextWave' as const, 'None' as const),
  perMinute: fc.option(fc.integer({ min: 1, max: 4 })),
  hasWindow: fc.boolean(),
})
type Limits = typeof limits extends fc.Arbitrary<infer Value> ? Value : never

function limited(plan: Strategy, { downloads, hasWindow, perMinute, perSite, prefetch }: Limits): Strategy {
  return {
    ...plan,
    maxUnavailable: { kind: 'percent', percent: 100 },
    rollback: { ...plan.rollback, maxUnavailable: { kind: 'percent', percent: 100 } },
    budgets: [{ topologyKey: 'site', maxUnavailable: { kind: 'count', count: perSite } }],
    downloads: { maxConcurrent: downloads, prefetch },
    rate: perMinute === null ? null : { basePerMinute: perMinute, factor: 1, maxPerMinute: perMinute },
    windows: hasWindow ? [window] : [],
  }
}

/** Judges every decision by what was durable before it, and by the hosts' own state. */
function watch(plan: Strategy): (world: World, decision: Decision) => void {
  const activatedMs: number[] = []
  return (world, decision) => {
    const before = world.store.grants
    const after = new Map(before)
    for (const write of decision.writes) {
      if (write.kind === 'grant') after.set(`${write.record.rolloutId} ${write.record.hostId}`, write.record)
    }
    const grants = [...after.values()]
    expect(grants.filter((grant) => isStaging(grant) && isUnavailable(grant))).toEqual([])
    if (grants.some(isStaging)) {
      expect(grants.filter(isStaging).length).toBeLessThanOrEqual(plan.downloads.maxConcurrent)
    }
    for (const [key, grant] of after) {
      const was = before.get(key)
      if (isStaging(grant) && was?.attempt !== grant.attempt) checkStage(world, plan, grant)
      if (grant.activateGrantedAtMs === null || was?.activateGrantedAtMs === grant.activateGrantedAtMs)
        continue
      checkActivation(world, { plan, grants, grant })
      const rollout = world.store.rollouts.get(grant.rolloutId)
      if (rollout?.state.kind !== 'RollingBack') activatedMs.push(grant.activateGrantedAtMs)
    }
    const recent = activatedMs.filter((at) => at > world.wallMs - minuteMs)
    if (plan.rate !== null) expect(recent.length).toBeLessThanOrEqual(plan.rate.basePerMinute)
  }
}

function waveOf(
  world: World,
  grant: GrantRecord,
): { readonly index: number; readonly active: number } | null {
  const rollout = world.store.rollouts.get(grant.rolloutId) as RolloutRecord
  const isTail = (world.store.enrolments.get(grant.hostId)?.enrolledAtMs ?? 0) > rollout.startedAtMs
  if (rollout.state.kind !== 'Progressing' || isTail) return null
  const index = waveIndexOf(rollout.waves, orderKey(rollout.revision, grant.hostId), {})
  return { index, active: activeWaveIndex(rollout.waves) }
}

/** Ahead of its turn only the next wave that has hosts, and only when that is wanted. */
function checkStage(world: World, plan: Strategy, grant: GrantRecord): void {
  const at = waveOf(world, grant)
  const waves = world.store.rollouts.get(grant.rolloutId)?.waves ?? []
  if (at === null) return
  const skipped = waves.slice(at.active + 1, at.index).every(({ size }) => size === 0)
  expect(at.index <= at.active || (plan.downloads.prefetch === 'NextWave' && skipped)).toBe(true)
}

type Activation = {
  readonly plan: Strategy
  readonly grants: readonly GrantRecord[]
  readonly grant: GrantRecord
}

function checkActivation(world: World, { grant, grants, plan }: Activation): void {
  const at = waveOf(world, grant)
  if (at !== null) expect(at.index).toBeLessThanOrEqual(at.active)
  if (plan.windows.length > 0) {
    const sinceOpenMs = ((world.wallMs - startMs) % (24 * hourMs)) - openFromMs
    expect(sinceOpenMs).toBeGreaterThanOrEqual(0)
    expect(sinceOpenMs + plan.deadlines.activateMs + plan.deadlines.healthMs).toBeLessThanOrEqual(openForMs)
  }
  const siteOf = (hostId: string): string | undefined => world.store.enrolments.get(hostId)?.labels['site']
  const site = siteOf(grant.hostId)
  const [budget] = plan.budgets
  if (site === undefined || budget === undefined || grant.brokenBefore) return
  const members = [...world.agents.values()].filter(({ hostId }) => siteOf(hostId) === site)
  const restarting = new Set(grants.filter(takesSlot).map(({ hostId }) => hostId))
  const down = members.filter(({ behaviour, hostId }) => behaviour === 'silent' || restarting.has(hostId))
  const allowed = sizeOf(budget.maxUnavailable, members.length, 'up-at-least-one')
  expect(down.length).toBeLessThanOrEqual(allowed)
}

function start(hosts: number, check: (world: World, decision: Decision) => void): World {
  const world: World = newWorld((_event, decision) => check(world, decision))
  world.broken.add(imageOf('2.0.0').digest)
  for (let index = 0; index < hosts; index += 1) {
    enrol(world, `h${index}`, imageOf('0.0.0').digest, { site: sites[index % sites.length] as string })
  }
  return world
}

describe('any limits under any order of events', () => {
  it('are never exceeded, across restarts too: domains, downloads, rate, windows and the order of waves', () => {
    fc.assert(
      fc.property(cases, limits, (random, some) => {
        const plan = limited(random.plan, some)
        const world = start(random.hosts + 2, watch(plan))
        for (const each of random.operations) {
          perform(world, plan, each)
          if (each.kind === 'pass' && each.value > 5) pass(world, 2 * hourMs)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('are the same for an engine that was opened anew', () => {
    fc.assert(
      fc.property(cases, limits, (random, some) => {
        const plan = limited(random.plan, some)
        const world = start(random.hosts, () => undefined)
        for (const each of random.operations) {
          perform(world, plan, each)
          world.crashAfterWrites = null
          checkReopened(world)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('let every host arrive in the end when all answer and windows recur', () => {
    fc.assert(
      fc.property(cases, limits, (random, some) => {
        const plan = limited(random.plan, some)
        const world = start(random.hosts, () => undefined)
        for (const each of random.operations) perform(world, plan, each)
        world.crashAfterWrites = null
        for (const agent of world.agents.values()) {
          agent.behaviour = 'good'
          agent.ill = false
          connect(world, agent)
        }
        commit(world, plan, '9.0.0')
        pass(world, 100 * hourMs)
        const now = { wallMs: world.wallMs, elapsedMs: 0 }
        expect(describeRollouts(world.state, 'edge', now)[0]?.message).toMatch(/^runs 9.0.0/)
      }),
      { numRuns: 60 },
    )
  })
})

describe('the rate', () => {
  it('grows by a step for each ten minutes of successes at the rate before it, and no further than its end', () => {
    const rate = { basePerMinute: 5, factor: 2, maxPerMinute: 18 }
    expect([0, 49, 50, 149, 150, 10_000].map((count) => perMinuteAfter(count, rate))).toEqual([
      5, 5, 10, 10, 18, 18,
    ])
    expect(perMinuteAfter(10_000, { ...rate, factor: 1 })).toBe(5)
  })
})
