import { describe, expect, it } from 'vitest'
import { acceptedPlan, factsOf, newHost, restart, settle, take, turn } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { BEHAVIOUR, NOW_MS, accept, failed, kindsOf, newWorld, worldIn } from '../testing/world.ts'
import { initialState } from './resume.ts'
import { wakeAtMs } from './step.ts'

describe('a failed image', () => {
  it('is left for the previous deployment, with the evidence, and never run again', () => {
    const world = newWorld()
    accept(world, acceptedPlan('3'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.trace.slice(-3)).toEqual(['Verifying', 'RollingBack', 'RolledBack'])
    expect(world.host).toMatchObject({ currentId: '0-work1', defaultId: '0-work1', bootNumber: 3 })
    expect(world.disk.at).toMatchObject({
      failure: { code: 'HealthFailed', failedChecks: [{ name: 'web-up', detail: 'exit status 1' }] },
    })
    accept(world, acceptedPlan('3', { counter: 2, attempt: 2, generation: 9 }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'DeniedDigest' } })
    expect(world.host.bootNumber).toBe(3)
  })

  it('that never comes up is reported as another one booted, and the default set back', () => {
    const world = newWorld()
    accept(world, acceptedPlan('4'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack', failure: { code: 'BootedOther' } })
    expect(world.host).toMatchObject({ currentId: '0-work1', defaultId: '0-work1', bootNumber: 2 })
    expect(world.disk.deniedDigests).toEqual([digestOf('4')])
  })

  it('needs nothing set back when the loader already did', () => {
    const world = worldIn('Rebooting')
    world.host.bootNumber += 1
    world.host.defaultId = '0-work1'
    restart(world, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack', failure: { code: 'BootedOther' } })
  })

  it('ends in Failed where no deployment came up at all', () => {
    const world = worldIn('Rebooting')
    world.host.bootNumber += 1
    world.host.currentId = 'elsewhere'
    restart(world, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'BootedOther' } })
  })

  it('that was running before is no reason to reboot', () => {
    const world = newWorld()
    world.host = newHost('3')
    world.disk = initialState(factsOf(world.host), 0)
    accept(world, acceptedPlan('3'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk).toMatchObject({
      at: { phase: 'Failed', failure: { code: 'HealthFailed' } },
      deniedDigests: [],
    })
    expect(world.host.bootNumber).toBe(1)
  })

  it('is left when its checks cannot be run', () => {
    const world = worldIn('Verifying')
    take(world, failed(world), NOW_MS)
    expect(kindsOf(world)).toEqual(['rollback'])
  })

  it('is left when it boots again and again without a verdict', () => {
    const world = worldIn('Verifying')
    for (let boot = 2; boot <= 4; boot += 1) {
      world.host.bootNumber += 1
      restart(world, NOW_MS)
    }
    expect(world.disk.at).toMatchObject({ phase: 'RollingBack', failure: { code: 'RebootLimit' } })
    expect(kindsOf(world)).toEqual(['rollback'])
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack', failure: { code: 'RebootLimit' } })
    expect(world.host).toMatchObject({ currentId: '0-work1', defaultId: '0-work1', bootNumber: 6 })
  })

  it('is left for good however many boots its verdict took', () => {
    const world = newWorld()
    accept(world, acceptedPlan('3'))
    while (world.disk.at.phase !== 'Verifying') turn(world, BEHAVIOUR, NOW_MS)
    for (let boot = 2; boot <= 3; boot += 1) {
      world.host.bootNumber += 1
      restart(world, NOW_MS)
    }
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack', failure: { code: 'HealthFailed' } })
    expect(world.host).toMatchObject({ currentId: '0-work1', defaultId: '0-work1' })
  })

  it('is left too when another one comes up while it is verified', () => {
    const world = worldIn('Verifying')
    world.host.bootNumber += 1
    world.host.currentId = '0-work1'
    restart(world, NOW_MS)
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack', failure: { code: 'BootedOther' } })
  })
})

describe('a failed operation', () => {
  it.each(['Downloading', 'Staging', 'Activating', 'Rebooting'] as const)(
    'in %s is retried after a delay',
    (phase) => {
      const world = worldIn(phase)
      const [operation] = kindsOf(world)
      world.pending = []
      take(world, failed(world), NOW_MS)
      expect(wakeAtMs(world.disk)).toBe(NOW_MS + 500)
      take(world, { kind: 'timer' }, NOW_MS + 499)
      expect(kindsOf(world)).toEqual([])
      take(world, { kind: 'timer' }, NOW_MS + 500)
      expect(kindsOf(world)).toEqual([operation])
      expect(world.disk.at).toMatchObject({ phase, retry: { failures: 1, atMs: null } })
    },
  )

  it.each([
    ['Downloading', 'Failed'],
    ['Staging', 'Failed'],
    ['Activating', 'RollingBack'],
    ['Rebooting', 'RollingBack'],
  ] as const)('in %s that cannot succeed leads to %s', (phase, after) => {
    const world = worldIn(phase)
    take(world, failed(world, { retryable: false }), NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: after, failure: { code: 'SomethingFailed' } })
  })

  it('gives up after five tries, and only another attempt starts over', () => {
    const world = worldIn('Downloading')
    for (let tries = 1; tries <= 5; tries += 1) {
      take(world, failed(world), NOW_MS)
      take(world, { kind: 'timer' }, NOW_MS + tries * 100_000)
    }
    expect(world.disk.at).toMatchObject({ phase: 'Failed' })
    accept(world, acceptedPlan('1', { attempt: 2, counter: 2 }))
    expect(world.disk.at.phase).toBe('Downloading')
  })

  it('of an activation sets the default back and is no rollback of an update', () => {
    const world = worldIn('Activating')
    take(world, failed(world, { retryable: false }), NOW_MS)
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'SomethingFailed' } })
    expect(world.host).toMatchObject({ defaultId: '0-work1', bootNumber: 1 })
    expect(world.disk.deniedDigests).toEqual([])
  })

  it.each([
    ['expired', acceptedPlan('1', { counter: 2, activateUntilMs: 1_001 })],
    ['was withdrawn', acceptedPlan('1', { counter: 2, activateUntilMs: null })],
    ['went to another image', acceptedPlan('2', { counter: 2 })],
    ['went to other kernel arguments', acceptedPlan('1', { counter: 2, kernelArguments: ['quiet'] })],
  ])('of an activation is not retried when the grant %s', (_why, plan) => {
    const world = worldIn('Activating')
    take(world, failed(world), NOW_MS)
    accept(world, plan)
    take(world, { kind: 'timer' }, NOW_MS + 60_000)
    expect(world.disk.at).toMatchObject({ phase: 'RollingBack', failure: { code: 'ActivateFailed' } })
    expect(kindsOf(world)).toEqual(['rollback'])
  })

  it('of coming back is tried for long, and then said to be one', () => {
    const world = worldIn('RollingBack', acceptedPlan('3'))
    for (let tries = 1; tries <= 20; tries += 1) {
      expect(world.disk.at.phase).toBe('RollingBack')
      take(world, failed(world, { retryable: false }), NOW_MS)
      take(world, { kind: 'timer' }, NOW_MS + tries * 100_000)
    }
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'RollbackFailed' } })
  })

  it('of coming back ends when the previous deployment does not boot either', () => {
    const world = newWorld()
    accept(world, acceptedPlan('3'))
    settle(world, { ...BEHAVIOUR, dead: ['0'] }, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'RollbackFailed' } })
    expect(world.host.bootNumber).toBe(4)
  })
})
