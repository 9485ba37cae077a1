import { describe, expect, it } from 'vitest'
import { digestOf } from '../testing/plans.ts'
import { acceptedPlan, deploymentOf, factsOf, newHost, restart, take } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { NOW_MS, failed, kindsOf, newWorld, worldIn } from '../testing/world.ts'
import { initialState, resume } from './resume.ts'
import { step, wakeAtMs } from './step.ts'
import { failureOf } from './transition.ts'
import type { State } from './types.ts'

describe('time', () => {
  it('ends a download whose grant expired', () => {
    const world = worldIn('Downloading')
    expect(wakeAtMs(world.disk)).toBe(1_000_000)
    take(world, { kind: 'timer' }, 1_000_000)
    expect(world.disk.at.phase).toBe('Idle')
  })

  it('wakes for the earlier of retry and expiry, and for nothing without either', () => {
    const world = worldIn('Downloading', acceptedPlan('1', { stageUntilMs: NOW_MS + 100 }))
    take(world, failed(world), NOW_MS)
    expect(wakeAtMs(world.disk)).toBe(NOW_MS + 100)
    expect(wakeAtMs(worldIn('Activating').disk)).toBeNull()
    expect(wakeAtMs(newWorld().disk)).toBeNull()
  })
})

describe('a start of the process', () => {
  const restarted = (world: World, nowMs = NOW_MS): State => {
    restart(world, nowMs)
    return world.disk
  }

  it.each([
    ['Downloading', 'pull'],
    ['Staging', 'stage'],
    ['Activating', 'activate'],
    ['Rebooting', 'reboot'],
    ['Verifying', 'checkHealth'],
    ['Blessing', 'bless'],
  ] as const)('in %s begins with %s again', (phase, operation) => {
    const world = worldIn(phase)
    restarted(world)
    expect(world.disk.at.phase).toBe(phase)
    expect(kindsOf(world)).toEqual([operation])
  })

  it('in RollingBack sets the default back again', () => {
    const world = worldIn('RollingBack', acceptedPlan('3'))
    restarted(world)
    expect(kindsOf(world)).toEqual(['rollback'])
  })

  it('in Downloading with an expired grant stops', () => {
    expect(restarted(worldIn('Downloading'), 2_000_000).at.phase).toBe('Idle')
  })

  it('in Activating begins anew where a repair threw the deployment away', () => {
    const world = worldIn('Activating')
    world.host.deployments.pop()
    restarted(world)
    expect(world.disk.at.phase).toBe('Downloading')
  })

  it('in Staged keeps the deployment while it is there', () => {
    const world = worldIn('Staged', acceptedPlan('1', { activateUntilMs: null }))
    expect(restarted(world).at.phase).toBe('Staged')
    world.host.deployments.pop()
    restarted(world)
    expect(kindsOf(world)).toEqual(['pull'])
  })

  it('in Activating asks for the grant again while the default is unchanged', () => {
    const world = worldIn('Activating')
    world.disk = { ...world.disk, accepted: acceptedPlan('1', { activateUntilMs: null }) }
    expect(restarted(world).at.phase).toBe('Staged')
    expect(world.pending).toEqual([])
  })

  it.each([
    ['goes on when the default has changed', { defaultId: '1-work2' }, 'Rebooting'],
    [
      'verifies when the target runs',
      { currentId: '1-work2', defaultId: '1-work2', bootNumber: 2 },
      'Verifying',
    ],
    ['rolls back when another one came up', { defaultId: '1-work2', bootNumber: 2 }, 'RollingBack'],
    ['starts over when a power cut took the default', { bootNumber: 2 }, 'Activating'],
    [
      'does not try again what was tried already, and is marked bad',
      {
        bootNumber: 2,
        deployments: [deploymentOf('0', 1), { ...deploymentOf('1', 2), bad: 'it did not come up' }],
      },
      'RolledBack',
    ],
  ] as const)('in Activating %s', (_outcome, found, phase) => {
    const world = worldIn('Activating')
    Object.assign(world.host, found)
    expect(restarted(world).at.phase).toBe(phase)
  })

  it('in Verifying keeps the deadline within one boot and starts it anew in another', () => {
    const world = worldIn('Verifying')
    restarted(world, NOW_MS + 4_000)
    expect(world.pending).toMatchObject([{ deadlineMs: 6_000 }])
    restarted(world, NOW_MS + 40_000)
    expect(world.pending).toMatchObject([{ deadlineMs: 0 }])
    world.host.bootNumber += 1
    restarted(world, NOW_MS + 40_000)
    expect(world.pending).toMatchObject([{ deadlineMs: 10_000 }])
  })

  it('in Verifying of what ran anyway drops it when something else runs', () => {
    const world = worldIn('Verifying', acceptedPlan('0', { stageUntilMs: null }))
    restarted(world)
    expect(kindsOf(world)).toEqual(['checkHealth'])
    world.host.deployments.push(deploymentOf('9', 2))
    world.host.currentId = '9-work2'
    world.host.bootNumber += 1
    expect(restarted(world).at.phase).toBe('Idle')
  })

  it('in Healthy stays there while the image runs, and is not healthy when it does not', () => {
    const world = worldIn('Healthy')
    expect(restarted(world).at.phase).toBe('Healthy')
    world.disk = { ...world.disk, accepted: acceptedPlan('1', { stageUntilMs: null }) }
    world.host.currentId = '0-work1'
    world.host.bootNumber += 1
    expect(restarted(world).at.phase).toBe('Idle')
  })

  it.each(['Idle', 'Ready', 'Failed', 'RolledBack'] as const)('in %s only looks at what runs', (phase) => {
    const plan = acceptedPlan('1', { stageUntilMs: null })
    const failure = failureOf('X', 'x')
    const running = { kind: 'Passed' } as const
    const world = newWorld()
    const positions = {
      Idle: { phase: 'Idle' },
      Ready: { phase: 'Ready', plan },
      Failed: { phase: 'Failed', plan, failure },
      RolledBack: { phase: 'RolledBack', plan, failure, running },
    } as const
    const at = positions[phase]
    world.disk = { ...world.disk, accepted: plan, at }
    world.host.bootNumber = 7
    expect(restarted(world)).toMatchObject({ at, booted: { bootId: 'boot-7' } })
    expect(world.pending).toEqual([])
  })

  it('does not tell a host without any state what to run', () => {
    const facts = factsOf(newHost('0'))
    const state = initialState(facts, NOW_MS)
    const floors = [{ manifestDigest: digestOf('0'), version: '0', rollout: '' }]
    expect(step(state, resume(state, facts), NOW_MS)).toEqual({ next: { ...state, floors }, effects: [] })
  })
})
