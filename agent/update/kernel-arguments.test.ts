import { describe, expect, it } from 'vitest'
import { acceptedPlan, factsOf, restart, settle, turn } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { BEHAVIOUR, NOW_MS, accept, newWorld, worldIn } from '../testing/world.ts'
import type { AcceptedPlan } from './types.ts'

const off = ['mitigations=off']

/** For the image that runs already. */
function planWith(kernelArguments: readonly string[], changes: Partial<AcceptedPlan> = {}): AcceptedPlan {
  return acceptedPlan('0', { rollout: 'edge-1', kernelArguments, ...changes })
}

function argumentsOf(world: World): readonly string[] | undefined {
  return factsOf(world.host).current?.kernelArguments
}

describe('a plan with other kernel arguments for the image that runs', () => {
  it('is a new deployment of it and a reboot, and the same plan again is nothing', () => {
    const world = newWorld()
    accept(world, planWith(off))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at.phase).toBe('Healthy')
    expect([world.host.bootNumber, argumentsOf(world)]).toEqual([2, off])
    accept(world, planWith(off, { counter: 2, attempt: 2 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.host.bootNumber).toBe(2)
  })

  it('is taken back by one that names none', () => {
    const world = newWorld()
    accept(world, planWith(off))
    settle(world, BEHAVIOUR, NOW_MS)
    accept(world, acceptedPlan('0', { rollout: 'edge-1', attempt: 2, counter: 2 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect([world.host.bootNumber, argumentsOf(world)]).toEqual([3, undefined])
  })

  it('waits for its grants as every other', () => {
    const world = newWorld()
    accept(world, planWith(off, { activateUntilMs: null }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at.phase).toBe('Staged')
    accept(world, planWith(off, { stageUntilMs: null, activateUntilMs: null, counter: 2 }))
    expect(world.host.bootNumber).toBe(1)
  })

  it('is deployed anew where the arguments change before it boots', () => {
    const world = newWorld()
    accept(world, planWith(off, { activateUntilMs: null }))
    settle(world, BEHAVIOUR, NOW_MS)
    accept(world, planWith(['quiet'], { counter: 2 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect([world.host.bootNumber, argumentsOf(world)]).toEqual([2, ['quiet']])
  })
})

describe('an image that fails with new kernel arguments, and ran before without them', () => {
  it('is not denied where its checks fail', () => {
    const world = newWorld()
    accept(world, planWith(off))
    settle(world, { ...BEHAVIOUR, sick: ['0'] }, NOW_MS)
    expect(world.disk).toMatchObject({ at: { phase: 'RolledBack' }, deniedDigests: [] })
    expect(argumentsOf(world)).toBeUndefined()
    accept(world, planWith(['quiet'], { counter: 2, attempt: 2 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect([world.disk.at.phase, argumentsOf(world)]).toEqual(['Healthy', ['quiet']])
  })

  it('is not denied where it does not come up', () => {
    const world = newWorld()
    accept(world, planWith(off))
    settle(world, { ...BEHAVIOUR, dead: ['0'] }, NOW_MS)
    expect(world.disk).toMatchObject({
      at: { phase: 'RolledBack', failure: { code: 'BootedOther' } },
      deniedDigests: [],
    })
  })

  it('is not denied where it only loses the network', () => {
    const world = newWorld()
    world.disk = { ...world.disk, reachableAtMs: NOW_MS }
    const { health } = acceptedPlan('0')
    accept(world, planWith(off, { health: { ...health, reachController: true, deadlineMs: 600_000 } }))
    for (let turns = 0; turns < 40 && world.pending.length > 0; turns += 1) {
      const lost = argumentsOf(world) === undefined ? [] : ['0']
      turn(world, { ...BEHAVIOUR, offline: lost }, NOW_MS)
    }
    expect(world.disk).toMatchObject({
      at: { phase: 'RolledBack', failure: { code: 'NetworkLost' } },
      deniedDigests: [],
    })
  })

  it('is denied where another image ran before', () => {
    const world = newWorld()
    accept(world, acceptedPlan('3', { kernelArguments: off }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.deniedDigests).toEqual([digestOf('3')])
  })
})

it('is asked for again with its arguments when the process starts again in between', () => {
  const world = worldIn('Staging', planWith(off))
  restart(world, NOW_MS)
  expect(world.pending).toMatchObject([{ kind: 'stage', kernelArguments: off }])
})
