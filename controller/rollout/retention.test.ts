import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import { fleetWith, nowOf, phaseOf, rolledOut, strategyWith } from '../../test/support/rollout-fleet.ts'
import {
  dispatch,
  enrol,
  move,
  newWorld,
  restart,
  settleAll,
  silence,
  want,
} from '../../test/support/rollout-world.ts'
import { recordsOf } from '../../cli/simulator/store.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { checkReopened } from '../../test/support/rollout-twin.ts'
import { apply, open } from './engine.ts'
import { forgottenAtOnce, keptPerFleet } from './retention.ts'
import type { GrantRecord, Records, RolloutRecord } from './records.ts'
import type { WantedFleet } from './wanted.ts'
import type { Write } from './decision.ts'

function rollOut(world: World, count: number, changes: Partial<WantedFleet> = {}): void {
  for (let index = 0; index < count; index += 1) {
    want(world, [fleetWith(`n${index}.0.0`, changes)], `c-n${index}`)
    settleAll(world)
  }
}

function generations(world: World): readonly number[] {
  return [...world.store.rollouts.values()].map(({ generation }) => generation).toSorted((a, b) => a - b)
}

/** Grants of no rollout that is stored. */
function orphans(world: World): readonly GrantRecord[] {
  return [...world.store.grants.values()].filter(({ rolloutId }) => !world.store.rollouts.has(rolloutId))
}

function upTo(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

describe('forgetting', () => {
  it('leaves the newest rollouts with their grants, and nothing of older ones', () => {
    const world = rolledOut('0.0.1', 2)
    rollOut(world, 25)
    expect(generations(world)).toEqual(upTo(7, 26))
    expect(orphans(world)).toEqual([])
    expect(world.store.grants.size).toBe(2 * keptPerFleet)
    checkReopened(world)
  })

  it('counts each fleet for itself', () => {
    const world = newWorld()
    const only = (ring: string) => ({ kind: 'match', labels: { ring }, expressions: [] }) as const
    enrol(world, 'a', imageOf('0.0.0').digest, { ring: 'a' })
    enrol(world, 'b', imageOf('0.0.0').digest, { ring: 'b' })
    for (const index of upTo(1, 22)) {
      const quiet = fleetWith('1.0.0', { name: 'quiet', selector: only('b') })
      want(world, [fleetWith(`${index}.0.0`, { selector: only('a') }), quiet], `c${index}`)
      settleAll(world)
    }
    expect([...world.store.rollouts.keys()].filter((id) => id.startsWith('quiet'))).toEqual(['quiet.1'])
    expect(world.store.rollouts.size).toBe(keptPerFleet + 1)
  })

  it('keeps the rollout that made stable, however many failed since', () => {
    const world = rolledOut('0.0.1')
    const pausing = strategyWith({ onFailure: { firstWave: 'Pause', later: 'Pause' } })
    for (const index of upTo(1, 24)) {
      world.broken.add(imageOf(`n${index}.0.0`).digest)
      want(world, [fleetWith(`n${index}.0.0`, { strategy: pausing })], `c${index}`)
      settleAll(world)
    }
    expect(generations(world)).toEqual([1, ...upTo(6, 25)])
    checkReopened(world)
  })

  it('keeps a rollout with a host in flight, until that host ended', () => {
    const world = newWorld()
    enrol(world, 'h0', imageOf('0.0.0').digest, { ring: 'a' })
    enrol(world, 'h1', imageOf('0.0.0').digest, { ring: 'b' })
    const strategy = strategyWith({ maxUnavailable: { kind: 'count', count: 2 } })
    want(world, [fleetWith('0.0.1', { strategy })], 'c0')
    while (world.agents.get('h0')?.phase !== 'Rebooting') {
      dispatch(world, { kind: 'timer' })
      for (const agent of world.agents.values()) move(world, agent)
    }
    silence(world, world.agents.get('h0') as SimulatedAgent)
    const selector = { kind: 'match', labels: { ring: 'b' }, expressions: [] } as const
    rollOut(world, 25, { selector, strategy })
    expect(generations(world)).toEqual([1, ...upTo(7, 26)])
    checkReopened(world)
    world.wallMs += 3_600_000
    dispatch(world, { kind: 'timer' })
    expect(world.store.grants.get('edge.1 h0')?.phase).toBe('TimedOut')
    want(world, [fleetWith('last.0.0', { selector, strategy })], 'last')
    settleAll(world)
    expect(generations(world)).toEqual(upTo(8, 27))
    expect(orphans(world)).toEqual([])
  })

  it('goes on after a crash between any two deletions', () => {
    for (let crash = 0; crash <= 6; crash += 1) {
      const world = rolledOut('0.0.1', 3)
      rollOut(world, keptPerFleet - 1)
      want(world, [fleetWith('last.0.0')], 'last')
      world.crashAfterWrites = null
      crashWhenForgetting(world, crash)
      settleAll(world)
      expect(generations(world)).toEqual(upTo(2, 21))
      expect(orphans(world)).toEqual([])
      checkReopened(world)
    }
  })

  it('deletes a bounded number at once, the header last, and asks to be called again', () => {
    const hosts = forgottenAtOnce + 500
    const records = manyRecords(hosts)
    const forgotten: Write[] = []
    let { state, decision } = open(records, { wallMs: 1, elapsedMs: 0 })
    expect(decision).toMatchObject({ writes: [], wakeInMs: 0 })
    for (let calls = 0; decision.wakeInMs === 0 && calls < 99; calls += 1) {
      ;({ state, decision } = apply(state, { kind: 'timer' }, { wallMs: 1, elapsedMs: 0 }))
      const keys = decision.writes.map((write) =>
        write.kind === 'forgetRollout' ? write.record.hostIds.length + 1 : 0,
      )
      expect(keys.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(forgottenAtOnce)
      forgotten.push(...decision.writes)
    }
    expect(decision.wakeInMs).toBe(null)
    const of = (id: string) => forgotten.filter((write) => forgets(write, id))
    expect(of('edge.2').map((write) => forgets(write, 'edge.2')?.withHeader)).toEqual([false, true])
    expect(of('edge.2').flatMap((write) => forgets(write, 'edge.2')?.hostIds).length).toBe(hosts)
    expect(of('edge.1').flatMap((write) => forgets(write, 'edge.1')?.hostIds)).toEqual([])
  })

  it('forgets a grant whose rollout is lost, and serves its host again', () => {
    const world = rolledOut('0.0.1')
    const grant = world.store.grants.get('edge.1 h0') as GrantRecord
    world.store.grants.set('edge.0 h0', { ...grant, rolloutId: 'edge.0', phase: 'Downloading' })
    restart(world)
    want(world, [fleetWith('2.0.0')], 'c2')
    settleAll(world)
    expect([...world.store.grants.keys()]).toEqual(['edge.1 h0', 'edge.2 h0'])
    expect(phaseOf(world, 'h0')).toBe('Succeeded')
    expect(open(recordsOf(world.store), nowOf(world)).decision.wakeInMs).toBe(null)
  })
})

function forgets(write: Write, id: string) {
  return write.kind === 'forgetRollout' && write.record.rolloutId === id ? write.record : null
}

/** Cuts off the first decision that forgets. */
function crashWhenForgetting(world: World, after: number): void {
  for (let calls = 0; calls < 100; calls += 1) {
    const peek = apply(open(recordsOf(world.store), nowOf(world)).state, { kind: 'timer' }, nowOf(world))
    if (peek.decision.writes.some(({ kind }) => kind === 'forgetRollout')) {
      world.crashAfterWrites = after
      dispatch(world, { kind: 'timer' })
      return
    }
    dispatch(world, { kind: 'timer' })
  }
  throw new Error('nothing was forgotten')
}

/** Two old rollouts, of which the newer had many hosts, and as many newer ones as are kept. */
function manyRecords(hosts: number): Records {
  const world = rolledOut('0.0.1')
  const header = world.store.rollouts.get('edge.1') as RolloutRecord
  const grant = world.store.grants.get('edge.1 h0') as GrantRecord
  return {
    fleets: [],
    rollouts: upTo(1, keptPerFleet + 2).map((generation) => ({
      ...header,
      id: `edge.${generation}`,
      generation,
    })),
    grants: upTo(1, hosts).map((index) => ({ ...grant, rolloutId: 'edge.2', hostId: `many${index}` })),
    hosts: [],
    enrolments: [],
    everyFleet: null,
  }
}
