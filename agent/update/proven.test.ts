import { describe, expect, it } from 'vitest'
import { acceptedPlan, settle, turn } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { BEHAVIOUR, NOW_MS, accept, newWorld } from '../testing/world.ts'
import { runsProven, runsUntested } from './health.ts'
import type { Phase } from './types.ts'

/** Image 0 runs and proved itself. */
function provenWorld(): World {
  const world = newWorld()
  accept(world, acceptedPlan('0'))
  settle(world, BEHAVIOUR, NOW_MS)
  return world
}

/** The standing of what runs, in each phase of an update to `version`. */
function standings(world: World, version: string): Partial<Record<Phase, string>> {
  const found: Partial<Record<Phase, string>> = {}
  accept(world, acceptedPlan(version, { counter: 2, generation: 2 }))
  for (let turns = 0; turns < 20; turns += 1) {
    const { at } = world.disk
    found[at.phase] =
      `${runsUntested(at) ? 'as before' : 'asked'}, ${runsProven(world.disk) ? 'proven' : 'not proven'}`
    turn(world, BEHAVIOUR, NOW_MS)
  }
  return found
}

describe('what runs', () => {
  const before = {
    Downloading: 'as before, proven',
    Staging: 'as before, proven',
    Activating: 'as before, proven',
    Rebooting: 'as before, proven',
    Verifying: 'asked, not proven',
  }

  it('is what proved itself before, until another image boots', () => {
    expect(standings(provenWorld(), '1')).toEqual({
      ...before,
      Blessing: 'asked, not proven',
      Healthy: 'asked, proven',
    })
  })

  it('is proven again after a fallback', () => {
    expect(standings(provenWorld(), '3')).toEqual({
      ...before,
      RollingBack: 'asked, not proven',
      RolledBack: 'asked, proven',
    })
  })

  it.each(['Idle', 'Ready', 'Staged', 'Failed'] as const)('is what it was in %s', (phase) => {
    const plan = acceptedPlan('1')
    const failure = { code: 'DownloadFailed', message: 'no route', failedChecks: [], evidence: [] }
    expect(runsUntested({ phase, plan, targetDeploymentId: '1', failure })).toBe(true)
  })

  it('is asked while it is not known who lost the network', () => {
    const failure = { code: 'NetworkLost', message: '', failedChecks: [], evidence: [] }
    expect(runsUntested({ phase: 'Judging', plan: acceptedPlan('1'), failure, deadlineAtMs: 0 })).toBe(false)
  })

  it('is proven no more once a later look at it found it ill, until one finds it well', () => {
    const world = provenWorld()
    accept(world, acceptedPlan('0', { counter: 2, attempt: 2 }))
    settle(world, { ...BEHAVIOUR, sick: ['0'] }, NOW_MS)
    expect([world.disk.at.phase, runsProven(world.disk)]).toEqual(['Failed', false])
    accept(world, acceptedPlan('0', { counter: 3, attempt: 3 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect([world.disk.at.phase, runsProven(world.disk)]).toEqual(['Healthy', true])
  })

  it('is proven no more when it is ill after a fallback to it, until it is well after another', () => {
    const world = provenWorld()
    accept(world, acceptedPlan('3', { counter: 2, generation: 2 }))
    settle(world, { ...BEHAVIOUR, sick: ['0', '3'] }, NOW_MS)
    expect([world.disk.at.phase, runsProven(world.disk)]).toEqual(['RolledBack', false])
    accept(world, acceptedPlan('4', { counter: 3, generation: 3 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect([world.disk.at.phase, runsProven(world.disk)]).toEqual(['RolledBack', true])
  })
})
