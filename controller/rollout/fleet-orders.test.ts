import { describe, expect, it, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, phaseOf, rolledOut, strategyWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, restart, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { openRecords } from '../../test/support/stored-records.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import { apply } from './engine.ts'
import type { RolloutEvent } from './events.ts'

const minuteMs = 60_000
const said = { actor: 'kim', reason: 'it leaks' }
const soaking = strategyWith({ waves: [waveOf('all', { kind: 'percent', percent: 100 }, 60 * minuteMs)] })

const grantOf = (world: World, hostId: string) =>
  [...world.store.grants.values()].find((grant) => grant.hostId === hostId && grant.rolloutId === 'edge.2')

const fleetRecord = (world: World) => world.store.fleets.get('edge')

describe('an abort', () => {
  it('leaves a joiner on its way to stable', () => {
    const world = rolledOut('1.0.0')
    want(world, [fleetWith('2.0.0', { strategy: soaking })], 'c2')
    settleAll(world)
    world.wallMs += minuteMs
    const joiner = enrol(world, 'joiner', imageOf('0.0.0').digest)
    dispatch(world, { kind: 'timer' })
    expect(grantOf(world, 'joiner')).toMatchObject({ direction: 'Back', phase: 'Granted' })
    dispatch(world, { kind: 'abort', rolloutId: 'edge.2', ...said })
    dispatch(world, { kind: 'timer' })
    expect(phaseOf(world, 'joiner')).toBe('Granted')
    settleAll(world)
    expect([phaseOf(world, 'joiner'), joiner.digest]).toEqual(['Succeeded', imageOf('1.0.0').digest])
  })

  it('that is followed by a rollback at once tells hosts of the rollback', () => {
    const world = rolledOut('1.0.0', 2)
    want(world, [fleetWith('2.0.0')], 'c2')
    dispatch(world, { kind: 'timer' })
    expect(grantOf(world, 'h0')?.phase).toBe('Granted')
    dispatch(world, { kind: 'abort', rolloutId: 'edge.2', ...said })
    dispatch(world, { kind: 'rollback', rolloutId: 'edge.2', ...said })
    settleAll(world)
    expect(grantOf(world, 'h0')).toMatchObject({
      phase: 'Cancelled',
      message: 'rolled back by kim: "it leaks"',
    })
    expect(world.store.rollouts.get('edge.2')?.state.kind).toBe('RolledBack')
  })
})

it('a rollback that a crash cut off behind its denial is carried out after it', () => {
  const world = rolledOut('1.0.0', 2)
  want(world, [fleetWith('2.0.0', { strategy: soaking })], 'c2')
  settleAll(world)
  world.crashAfterWrites = 1
  dispatch(world, { kind: 'rollback', rolloutId: 'edge.2', ...said })
  settleAll(world)
  expect(world.store.rollouts.get('edge.2')?.state).toMatchObject({
    kind: 'RolledBack',
    cause: 'rolled back by kim: "it leaks"',
  })
  expect([...world.agents.values()].map(({ digest }) => digest)).toEqual([
    imageOf('1.0.0').digest,
    imageOf('1.0.0').digest,
  ])
})

describe('an answer to a measurement', () => {
  const measured = (rolloutId: string): RolloutEvent => ({
    kind: 'measured',
    rolloutId,
    wave: 'canary',
    analysis: 'errors',
    outcome: { kind: 'Passed', detail: '0.1 % of requests failed' },
  })
  const analysis = [
    { name: 'errors', provider: { kind: 'named', check: 'errors' }, intervalMs: minuteMs, failureLimit: 0 },
  ]
  const writesOf = (fleet: Readonly<Record<string, unknown>>, rolloutId: string) => {
    const state = openRecords({ fleet, waves: [{ state: 'Analysing' }], strategy: { analysis } })
    return apply(state, measured(rolloutId), { wallMs: 2_000, elapsedMs: 0 }).decision.writes
  }

  it('is kept with the wave that it was asked for', () => {
    expect(writesOf({}, 'edge.1')).toMatchObject([
      { kind: 'rollout', record: { waves: [{ measured: [{ analysis: 'errors', passed: 1 }] }] } },
    ])
  })

  it('of a rollout that is forgotten by now changes nothing', () => {
    expect(writesOf({}, 'edge.9')).toEqual([])
  })

  it('of a rollout that a crash left behind its fleet changes nothing', () => {
    expect(writesOf({ generation: 2, rolloutId: 'edge.2' }, 'edge.1')).toEqual([])
  })
})

describe('an order for a fleet', () => {
  for (const kind of ['deny', 'allow', 'halt', 'unhalt'] as const) {
    test(`${kind} is nothing where nobody knows the fleet`, () => {
      const world = rolledOut('1.0.0')
      dispatch(world, { kind, fleet: 'attic', digest: imageOf('1.0.0').digest, ...said })
      expect([...world.store.fleets.keys()]).toEqual(['edge'])
      expect(fleetRecord(world)).toMatchObject({ denied: [], halted: null, log: [] })
    })
  }

  it('to deny what is denied keeps the first reason, and both orders', () => {
    const world = rolledOut('1.0.0')
    const { digest } = imageOf('2.0.0')
    dispatch(world, { kind: 'deny', fleet: 'edge', digest, ...said })
    dispatch(world, { kind: 'deny', fleet: 'edge', digest, actor: 'lee', reason: 'what kim said' })
    expect(fleetRecord(world)?.denied).toMatchObject([{ digest, actor: 'kim', reason: 'it leaks' }])
    expect(fleetRecord(world)?.log.map(({ actor }) => actor)).toEqual(['kim', 'lee'])
  })

  it('to allow what was denied is taken before git was read', () => {
    const world = rolledOut('1.0.0')
    const { digest } = imageOf('2.0.0')
    dispatch(world, { kind: 'deny', fleet: 'edge', digest, ...said })
    world.wanted = null
    restart(world)
    dispatch(world, { kind: 'allow', fleet: 'edge', digest, ...said })
    expect(fleetRecord(world)).toMatchObject({ denied: [], allowed: [digest] })
  })
})
