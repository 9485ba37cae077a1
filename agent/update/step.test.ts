import { describe, expect, it } from 'vitest'
import { acceptedPlan, factsOf, newHost, rootOf, settle, take } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { BEHAVIOUR, NOW_MS, accept, failed, kindsOf, newWorld, worldIn } from '../testing/world.ts'
import { step } from './step.ts'

describe('the way to a new image', () => {
  it('goes through every phase and ends healthy under a new boot', () => {
    const world = newWorld()
    accept(world, acceptedPlan('1'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.trace).toEqual([
      'Idle',
      'Downloading',
      'Staging',
      'Activating',
      'Rebooting',
      'Verifying',
      'Blessing',
      'Healthy',
    ])
    expect(world.host).toMatchObject({ currentId: '1-work2', bootNumber: 2 })
    const root = rootOf('1', 2)
    expect(world.disk.booted).toEqual({ bootId: 'boot-2', current: root, default: root })
  })

  it('waits idle without permission to stage', () => {
    const world = newWorld()
    accept(world, acceptedPlan('1', { stageUntilMs: null }))
    expect(world.disk.at.phase).toBe('Idle')
    accept(world, acceptedPlan('1', { stageUntilMs: NOW_MS }))
    expect(world.disk.at.phase).toBe('Idle')
    expect(world.pending).toEqual([])
  })

  it('waits staged without permission to activate, and goes on when it comes', () => {
    const world = newWorld()
    accept(world, acceptedPlan('1', { activateUntilMs: null }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at.phase).toBe('Staged')
    accept(world, acceptedPlan('1', { activateUntilMs: NOW_MS }))
    expect(world.disk.at.phase).toBe('Staged')
    accept(world, acceptedPlan('1', { stageUntilMs: null, counter: 2 }))
    expect(kindsOf(world)).toEqual(['activate'])
  })

  it('keeps a pulled image when staging was withdrawn meanwhile', () => {
    const world = worldIn('Downloading')
    const operation = world.disk.operation
    const expired = 2_000_000
    take(world, { kind: 'downloaded', operation, manifestDigest: digestOf('1') }, expired)
    expect(world.disk.at.phase).toBe('Ready')
    accept(world, acceptedPlan('1', { counter: 2 }))
    expect(kindsOf(world)).toEqual(['stage'])
  })

  it('only verifies an image that runs already, without any grant and without a reboot', () => {
    const world = newWorld()
    accept(world, acceptedPlan('0', { stageUntilMs: null, activateUntilMs: null }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.trace).toEqual(['Idle', 'Verifying', 'Healthy'])
    expect(world.host.bootNumber).toBe(1)
  })

  it('stays in its phase when the same step is planned again', () => {
    const world = newWorld()
    accept(world, acceptedPlan('1'))
    settle(world, BEHAVIOUR, NOW_MS)
    accept(world, acceptedPlan('1', { counter: 2, stageUntilMs: null }), 2_000)
    expect(world.disk).toMatchObject({
      at: { phase: 'Healthy' },
      accepted: { counter: 2 },
      phaseEnteredAtMs: NOW_MS,
    })
  })

  it('refuses an image whose manifest is not the one of the plan', () => {
    const world = worldIn('Downloading')
    const { operation } = world.disk
    take(world, { kind: 'downloaded', operation, manifestDigest: digestOf('other') }, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'DigestMismatch' } })
  })

  it('does not activate where nothing could be fallen back to', () => {
    const world = newWorld()
    world.disk = { ...world.disk, booted: { bootId: 'boot-1', current: null, default: null } }
    accept(world, acceptedPlan('1'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'NoFallback' } })
    expect(world.host.activations).toEqual([])
  })

  it('ignores results of an older operation and of another phase', () => {
    const world = worldIn('Staging')
    const { disk } = world
    const { operation } = disk
    for (const event of [
      { kind: 'staged', operation: operation - 1, deploymentId: 'x', etcConflicts: [] },
      { kind: 'downloaded', operation, manifestDigest: digestOf('1') },
      { kind: 'activated', operation },
      { kind: 'restored', operation },
      { kind: 'blessed', operation },
      { kind: 'verdict', operation, failedChecks: [] },
    ] as const) {
      expect(step(disk, event, NOW_MS)).toEqual({ next: disk, effects: [] })
    }
    const resting = newWorld().disk
    const staged = { kind: 'staged', operation: 0, deploymentId: 'x', etcConflicts: [] } as const
    expect(step(resting, staged, NOW_MS).next).toBe(resting)
    expect(step(resting, failed(newWorld()), NOW_MS).next).toBe(resting)
    expect(step(resting, { kind: 'timer' }, NOW_MS).next).toBe(resting)
    const found = { ...resting, floors: [] }
    expect(step(found, { kind: 'started', facts: factsOf(newHost('0')), found: 'Unmoved' }, NOW_MS)).toEqual({
      next: found,
      effects: [],
    })
  })
})

describe('a newer plan', () => {
  it.each(['Downloading', 'Staging'] as const)(
    'stops what runs in %s when it withdraws the grant',
    (phase) => {
      const { disk } = worldIn(phase)
      const plan = acceptedPlan('1', { stageUntilMs: null, counter: 2 })
      const { next, effects } = step(disk, { kind: 'planAccepted', plan }, NOW_MS)
      expect(next.at.phase).toBe('Idle')
      expect(effects.map(({ kind }) => kind)).toEqual(['forget'])
    },
  )

  it('replaces the image before the commit point', () => {
    const { disk } = worldIn('Staging')
    const plan = acceptedPlan('2', { counter: 2 })
    const { next, effects } = step(disk, { kind: 'planAccepted', plan }, NOW_MS)
    expect(next.at).toMatchObject({ phase: 'Downloading', plan })
    expect(effects.map(({ kind }) => kind)).toEqual(['forget', 'pull'])
  })

  it('that grants the same again leaves the operation alone', () => {
    const world = worldIn('Downloading')
    const plan = acceptedPlan('1', { counter: 2, stageUntilMs: 2_000_000 })
    const { next, effects } = step(world.disk, { kind: 'planAccepted', plan }, NOW_MS)
    expect(effects).toEqual([])
    expect(next.at).toMatchObject({ phase: 'Downloading', plan })
  })

  it('that denies the image stops it', () => {
    const world = worldIn('Downloading')
    accept(world, acceptedPlan('1', { counter: 2, deny: [digestOf('1'), digestOf('1')] }))
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'DeniedDigest' } })
    expect(world.disk.deniedDigests).toEqual([digestOf('1')])
  })

  it('that allows the image again is followed, but only as a step of its own', () => {
    const world = worldIn('Downloading')
    const denied = { generation: 1, deny: [digestOf('1')] }
    accept(world, acceptedPlan('1', { ...denied, counter: 2 }))
    accept(world, acceptedPlan('1', { counter: 3, allow: [digestOf('1')] }))
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'DeniedDigest' } })
    accept(world, acceptedPlan('1', { counter: 4, attempt: 2, allow: [digestOf('1')] }))
    expect(world.disk.at.phase).toBe('Downloading')
    expect(world.disk.deniedDigests).toEqual([])
  })

  it.each(['Activating', 'Rebooting', 'Verifying', 'Blessing', 'RollingBack'] as const)(
    'has no say in %s, and is followed when that step has ended',
    (phase) => {
      const world = worldIn(phase, acceptedPlan(phase === 'RollingBack' ? '3' : '1'))
      const before = world.pending
      accept(world, acceptedPlan('2', { counter: 2, generation: 2 }))
      expect(world.disk.at.phase).toBe(phase)
      expect(world.pending).toBe(before)
      settle(world, BEHAVIOUR, NOW_MS)
      expect(world.host.currentId).toMatch(/^2-/)
      expect(world.disk.at.phase).toBe('Healthy')
    },
  )

  it('takes over a verification that no activation hangs on', () => {
    const world = worldIn('Verifying', acceptedPlan('0'))
    accept(world, acceptedPlan('0', { counter: 2 }))
    expect(kindsOf(world)).toEqual(['checkHealth'])
    accept(world, acceptedPlan('1', { counter: 3 }))
    expect(kindsOf(world)).toEqual(['pull'])
  })
})
