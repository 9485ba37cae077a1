import { describe, expect, it } from 'vitest'
import { acceptedPlan, settle, turn } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { BEHAVIOUR, NOW_MS, accept, newWorld } from '../testing/world.ts'
import { verdictOnRunning } from './health.ts'
import type { Failure, Phase, Position, State } from './types.ts'

/** Image 0 runs and proved itself. */
function provenWorld(): World {
  const world = newWorld()
  accept(world, acceptedPlan('0'))
  settle(world, BEHAVIOUR, NOW_MS)
  return world
}

/** The last verdict on what runs, in each phase of an update to `version`. */
function verdicts(world: World, version: string): Partial<Record<Phase, string>> {
  const found: Partial<Record<Phase, string>> = {}
  accept(world, acceptedPlan(version, { counter: 2, generation: 2 }))
  for (let turns = 0; turns < 20; turns += 1) {
    found[world.disk.at.phase] = verdictOnRunning(world.disk)
    turn(world, BEHAVIOUR, NOW_MS)
  }
  return found
}

function placed(at: Position): State {
  return { ...provenWorld().disk, at }
}

describe('the verdict on what runs', () => {
  const plan = acceptedPlan('1')
  const before = { Downloading: 'Passed', Staging: 'Passed', Activating: 'Passed', Rebooting: 'Passed' }

  it('stays the one from before until another image boots', () => {
    expect(verdicts(provenWorld(), '1')).toEqual({
      ...before,
      Verifying: 'Unknown',
      Blessing: 'Unknown',
      Healthy: 'Passed',
    })
  })

  it('is of the image that came back once its own checks have ended', () => {
    expect(verdicts(provenWorld(), '3')).toEqual({
      ...before,
      Verifying: 'Unknown',
      RollingBack: 'Failed',
      RolledBack: 'Passed',
    })
  })

  it('stays the one from before where nothing boots', () => {
    const failure: Failure = { code: 'DownloadFailed', message: 'no route', failedChecks: [], evidence: [] }
    const standing: Position[] = [
      { phase: 'Idle' },
      { phase: 'Ready', plan },
      { phase: 'Staged', plan, targetDeploymentId: '1' },
      { phase: 'Failed', plan, failure },
    ]
    expect(standing.map((at) => verdictOnRunning(placed(at)))).toEqual(standing.map(() => 'Passed'))
  })

  it('is open while it is not known who lost the network', () => {
    const failure: Failure = { code: 'NetworkLost', message: '', failedChecks: [], evidence: [] }
    expect(verdictOnRunning(placed({ phase: 'Judging', plan, failure, deadlineAtMs: 0 }))).toBe('Unknown')
  })

  it('is open where nothing proved itself yet', () => {
    expect(verdictOnRunning({ ...placed({ phase: 'Idle' }), proven: null })).toBe('Unknown')
  })

  it('follows later looks at the same image, both ways', () => {
    const world = provenWorld()
    accept(world, acceptedPlan('0', { counter: 2, attempt: 2 }))
    settle(world, { ...BEHAVIOUR, sick: ['0'] }, NOW_MS)
    expect([world.disk.at.phase, verdictOnRunning(world.disk)]).toEqual(['Failed', 'Failed'])
    accept(world, acceptedPlan('0', { counter: 3, attempt: 3 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect([world.disk.at.phase, verdictOnRunning(world.disk)]).toEqual(['Healthy', 'Passed'])
  })

  it('is not the one from before on an image that was found ill since', () => {
    const world = provenWorld()
    accept(world, acceptedPlan('3', { counter: 2, generation: 2 }))
    settle(world, { ...BEHAVIOUR, sick: ['0', '3'] }, NOW_MS)
    expect([world.disk.at.phase, verdictOnRunning(world.disk)]).toEqual(['RolledBack', 'Failed'])
    expect(verdictOnRunning({ ...world.disk, at: { phase: 'Idle' } })).toBe('Unknown')
    accept(world, acceptedPlan('4', { counter: 3, generation: 3 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect([world.disk.at.phase, verdictOnRunning(world.disk)]).toEqual(['RolledBack', 'Passed'])
  })
})
