import { describe, expect, it } from 'vitest'
import { acceptedPlan, restart, settle, take, turn } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { BEHAVIOUR, NOW_MS, accept, failed, kindsOf, newWorld } from '../testing/world.ts'
import type { AcceptedPlan } from './types.ts'

const MINUTE_MS = 60_000

function watched(version: string, changes: Partial<AcceptedPlan> = {}): AcceptedPlan {
  const plan = acceptedPlan(version, changes)
  return { ...plan, health: { ...plan.health, reachController: true, deadlineMs: 10 * MINUTE_MS } }
}

/** A host that heard of the controller at `reachableAtMs`. */
function inTouch(reachableAtMs: number | null = NOW_MS): World {
  const world = newWorld()
  world.disk = { ...world.disk, reachableAtMs }
  return world
}

/** Until the previous image runs again and is asked whether the network answers there. */
function judging(version = '5'): World {
  const world = inTouch()
  accept(world, watched(version))
  settle(world, { ...BEHAVIOUR, offline: ['0', version] }, NOW_MS)
  world.trace = []
  return world
}

describe('an image that lost only the network', () => {
  it('is the culprit when the image before has one', () => {
    const world = inTouch()
    accept(world, watched('5'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.trace.slice(-3)).toEqual(['RollingBack', 'Judging', 'RolledBack'])
    expect(world.disk).toMatchObject({
      at: { failure: { code: 'NetworkLost', failedChecks: [{ name: 'reachController' }] } },
      deniedDigests: [digestOf('5')],
    })
  })

  it('is not the culprit when the image before has none either, and may be tried again', () => {
    const world = judging()
    expect(world.disk).toMatchObject({ at: { phase: 'RolledBack', failure: { code: 'Inconclusive' } } })
    expect(world.disk.deniedDigests).toEqual([])
    accept(world, watched('5', { attempt: 2, counter: 2 }))
    settle(world, { ...BEHAVIOUR, offline: [] }, NOW_MS)
    expect(world.disk.at.phase).toBe('Healthy')
  })

  it('is the culprit at once when something else fails too', () => {
    const world = inTouch()
    accept(world, watched('5'))
    settle(world, { ...BEHAVIOUR, sick: ['5'] }, NOW_MS)
    expect(world.trace).not.toContain('Judging')
    expect(world.disk.at).toMatchObject({ failure: { code: 'HealthFailed' } })
  })

  it.each([
    ['nobody answered since the start', null],
    ['nobody answered for a quarter of an hour before', NOW_MS - 15 * MINUTE_MS - 1],
    ['the clock was set back by as much', NOW_MS + 15 * MINUTE_MS + 1],
  ])('is not asked for one when %s', (_why, reachableAtMs) => {
    const world = inTouch(reachableAtMs)
    accept(world, watched('5'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at.phase).toBe('Healthy')
  })

  it('is not asked for one when it ran before', () => {
    const world = inTouch()
    accept(world, watched('0'))
    expect(world.pending).toMatchObject([{ kind: 'checkHealth', health: { reachController: false } }])
  })
})

describe('judging who lost the network', () => {
  function started(): World {
    const world = inTouch()
    accept(world, watched('5'))
    for (let turns = 0; world.disk.at.phase !== 'Judging'; turns += 1) {
      if (turns > 20) throw new Error(world.trace.join(' '))
      turn(world, BEHAVIOUR, NOW_MS)
    }
    return world
  }

  it('takes no longer than five minutes, also over a restart', () => {
    const world = started()
    expect(world.pending).toMatchObject([{ kind: 'checkHealth', deadlineMs: 5 * MINUTE_MS }])
    restart(world, NOW_MS + 2 * MINUTE_MS)
    expect(world.pending).toMatchObject([{ kind: 'checkHealth', deadlineMs: 3 * MINUTE_MS }])
  })

  it('waits for its end before a newer plan is followed', () => {
    const world = started()
    accept(world, watched('1', { counter: 2, generation: 2 }))
    expect(world.disk.at.phase).toBe('Judging')
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at.phase).toBe('Healthy')
    expect(world.host.currentId).toMatch(/^1-/)
  })

  it('that cannot be done is inconclusive', () => {
    const world = started()
    take(world, failed(world), NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack', failure: { code: 'Inconclusive' } })
    expect(kindsOf(world)).toEqual(['checkHealth'])
  })
})
