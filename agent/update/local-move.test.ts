import { describe, expect, it } from 'vitest'
import { acceptedPlan, boot, factsOf, newHost, restart, settle, take } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { BEHAVIOUR, NOW_MS, accept, kindsOf, newWorld, worldIn } from '../testing/world.ts'
import { initialState } from './resume.ts'
import type { AcceptedPlan } from './types.ts'

const moveTo = (world: World, deploymentId: string, id = 'm1'): void => {
  const { host } = world
  host.moved = { id, user: 'kim', command: 'rollback', atMs: NOW_MS, digest: digestOf(deploymentId[0] ?? '') }
  host.defaultId = deploymentId
  host.tryingId = null
}
const look = (world: World): void => take(world, { kind: 'looked', facts: factsOf(world.host) }, NOW_MS)
const reboot = (world: World): void => {
  boot(world.host, BEHAVIOUR)
  restart(world, NOW_MS)
}
const next = (plan: AcceptedPlan, changes: Partial<AcceptedPlan>): AcceptedPlan => ({
  ...plan,
  counter: plan.counter + 1,
  ...changes,
})

describe('a host whose person went back by hand', () => {
  const back = (): World => {
    const world = worldIn('Healthy')
    moveTo(world, '0-work1')
    reboot(world)
    return world
  }

  it('stays where it was taken, whatever is granted of it', () => {
    const world = back()
    expect(world.disk).toMatchObject({ at: { phase: 'Idle' }, moved: { id: 'm1', user: 'kim' } })
    for (const attempt of [1, 2]) {
      accept(world, next(acceptedPlan('1'), { attempt }))
      settle(world, BEHAVIOUR, NOW_MS)
      expect(world.host).toMatchObject({ currentId: '0-work1', defaultId: '0-work1' })
    }
    accept(world, acceptedPlan('2', { resumed: 'another' }))
    expect([world.disk.at.phase, ...kindsOf(world)]).toEqual(['Idle'])
  })

  it('goes on with the plan that names that very move, and is its own again', () => {
    const world = back()
    accept(world, acceptedPlan('2', { resumed: 'm1' }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.host.currentId).toBe('2-work3')
    expect(world.disk).toMatchObject({ at: { phase: 'Healthy' } })
    expect(world.disk).not.toHaveProperty('moved')
  })

  it('waits again where a plan no longer names the move', () => {
    const world = back()
    accept(world, acceptedPlan('2', { resumed: 'm1', activateUntilMs: null }))
    settle(world, BEHAVIOUR, NOW_MS)
    accept(world, acceptedPlan('2'))
    expect(world.disk.at.phase).toBe('Staged')
    accept(world, acceptedPlan('2', { resumed: 'm1' }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at.phase).toBe('Healthy')
  })

  it('is found healthy where a plan names what it runs', () => {
    const world = back()
    accept(world, acceptedPlan('0', { stageUntilMs: null, activateUntilMs: null }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk).toMatchObject({ at: { phase: 'Healthy' }, moved: { id: 'm1' } })
  })
})

describe('a person who moves what boots while the agent runs', () => {
  it.each(['Downloading', 'Ready', 'Staging', 'Staged', 'Verifying', 'Blessing'] as const)(
    'is not overtaken by a step in %s',
    (phase) => {
      const granted = phase === 'Staged' ? { activateUntilMs: null } : {}
      const world = phase === 'Ready' ? readyWorld() : worldIn(phase, acceptedPlan('1', granted))
      moveTo(world, '0-work1')
      look(world)
      expect(world.disk.moved?.id).toBe('m1')
      reboot(world)
      settle(world, BEHAVIOUR, NOW_MS)
      expect(world.host).toMatchObject({ currentId: '0-work1', defaultId: '0-work1' })
      expect(world.disk.at.phase).toBe('Idle')
      expect(world.disk.deniedDigests).toEqual([])
    },
  )

  it('is told at once, and what runs stays healthy until the reboot', () => {
    const world = worldIn('Healthy')
    moveTo(world, '0-work1')
    look(world)
    expect(world.disk).toMatchObject({ at: { phase: 'Healthy' }, moved: { id: 'm1' } })
    expect(world.disk.booted.default?.deploymentId).toBe('0-work1')
    const before = world.disk
    look(world)
    expect(world.disk.moved).toBe(before.moved)
  })

  it('and then lets the agent have it again is forgotten', () => {
    const world = worldIn('Healthy')
    moveTo(world, '0-work1')
    look(world)
    world.host.moved = undefined
    look(world)
    expect(world.disk).not.toHaveProperty('moved')
  })

  it('is not told by a look of the boot before', () => {
    const world = worldIn('Healthy')
    moveTo(world, '0-work1')
    const facts = factsOf(world.host)
    world.host.moved = undefined
    reboot(world)
    take(world, { kind: 'looked', facts }, NOW_MS)
    expect(world.disk).not.toHaveProperty('moved')
  })

  it.each(['Failed', 'RolledBack', 'Judging', 'Idle'] as const)(
    'leaves what ended in %s as it is',
    (phase) => {
      const world = worldIn('RolledBack', acceptedPlan('3'))
      const { plan, failure } = world.disk.at as Extract<World['disk']['at'], { phase: 'RolledBack' }>
      const at = {
        Failed: { phase: 'Failed', plan, failure },
        RolledBack: world.disk.at,
        Judging: { phase: 'Judging', plan, failure, deadlineAtMs: NOW_MS },
        Idle: { phase: 'Idle' },
      } as const
      world.disk = { ...world.disk, at: at[phase] }
      moveTo(world, '0-work1')
      look(world)
      expect(world.disk).toMatchObject({ at: { phase }, moved: { id: 'm1' } })
    },
  )

  it('leaves an image that the plan only found there to its checks', () => {
    const world = newWorld()
    accept(world, acceptedPlan('0'))
    moveTo(world, '0-work1')
    look(world)
    expect(world.disk.at).toMatchObject({ phase: 'Verifying', commit: null })
  })
})

describe('a person who moves what boots while the host comes up', () => {
  it.each(['Activating', 'Rebooting'] as const)('ends a step in %s without a failure', (phase) => {
    const world = worldIn(phase)
    moveTo(world, '0-work1')
    reboot(world)
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk).toMatchObject({ at: { phase: 'Idle' }, deniedDigests: [] })
    expect(world.host.currentId).toBe('0-work1')
  })

  it('does not hide that the image failed, nor is taken back for it', () => {
    const world = worldIn('RollingBack', acceptedPlan('3'))
    world.host.deployments.push({ ...factsOf(newHost('7')).deployments[0]!, deploymentId: '7-work9' })
    moveTo(world, '7-work9')
    reboot(world)
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk).toMatchObject({ at: { phase: 'RolledBack' }, deniedDigests: [digestOf('3')] })
    expect(world.host).toMatchObject({ currentId: '7-work9', defaultId: '7-work9' })
  })
})

it('what was moved before the agent first looked is where it begins', () => {
  const world = newWorld()
  moveTo(world, '0-work1', 'm0')
  world.disk = initialState(factsOf(world.host), 0)
  restart(world, NOW_MS)
  accept(world, acceptedPlan('1'))
  settle(world, BEHAVIOUR, NOW_MS)
  expect(world.host.currentId).toBe('1-work2')
})

/** Its image is there, and nothing more was granted. */
function readyWorld(): World {
  const world = worldIn('Downloading')
  world.disk = { ...world.disk, at: { phase: 'Ready', plan: acceptedPlan('1') } }
  world.pending = []
  return world
}
