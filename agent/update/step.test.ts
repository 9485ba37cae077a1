import { describe, expect, it } from 'vitest'
import {
  acceptedPlan,
  deploymentOf,
  factsOf,
  newHost,
  restart,
  settle,
  take,
  turn,
} from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { initialState, resume } from './resume.ts'
import { step, wakeAtMs } from './step.ts'
import type { AcceptedPlan, FailedEvent, Phase, State } from './types.ts'

const fine = { sick: ['3'], dead: ['4'] }
const NOW_MS = 1_000

function newWorld(): World {
  const host = newHost('0')
  return { host, disk: initialState(factsOf(host), 0), pending: [], trace: ['Idle'] }
}

function accept(world: World, plan: AcceptedPlan, nowMs = NOW_MS): void {
  take(world, { kind: 'planAccepted', plan }, nowMs)
}

/** A world that took `plan` and went on until the operation of `phase` was about to run. */
function worldIn(phase: Phase, plan = acceptedPlan('1')): World {
  const world = newWorld()
  accept(world, plan)
  for (let turns = 0; world.disk.at.phase !== phase; turns += 1) {
    if (turns > 20) throw new Error(`never in ${phase}: ${world.trace.join(' ')}`)
    turn(world, fine, NOW_MS)
  }
  return world
}

function failed(world: World, changes: Partial<FailedEvent> = {}): FailedEvent {
  return {
    kind: 'failed',
    operation: world.disk.operation,
    code: 'SomethingFailed',
    message: 'it failed',
    retryable: true,
    random: 0,
    ...changes,
  }
}

function kindsOf(world: World): readonly string[] {
  return world.pending.map(({ kind }) => kind)
}

describe('the way to a new image', () => {
  it('goes through every phase and ends healthy under a new boot', () => {
    const world = newWorld()
    accept(world, acceptedPlan('1'))
    settle(world, fine, NOW_MS)
    expect(world.trace).toEqual([
      'Idle',
      'Downloading',
      'Staging',
      'Activating',
      'Rebooting',
      'Verifying',
      'Healthy',
    ])
    expect(world.host).toMatchObject({ currentId: '1-work2', bootNumber: 2 })
    expect(world.disk.booted).toEqual({ bootId: 'boot-2', current: deploymentOf('1', 2) })
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
    settle(world, fine, NOW_MS)
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
    settle(world, fine, NOW_MS)
    expect(world.trace).toEqual(['Idle', 'Verifying', 'Healthy'])
    expect(world.host.bootNumber).toBe(1)
  })

  it('stays in its phase when the same step is planned again', () => {
    const world = newWorld()
    accept(world, acceptedPlan('1'))
    settle(world, fine, NOW_MS)
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
    world.disk = { ...world.disk, booted: { bootId: 'boot-1', current: null } }
    accept(world, acceptedPlan('1'))
    settle(world, fine, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'NoFallback' } })
    expect(world.host.activations).toEqual([])
  })

  it('ignores results of an older operation and of another phase', () => {
    const world = worldIn('Staging')
    const { disk } = world
    const { operation } = disk
    for (const event of [
      { kind: 'staged', operation: operation - 1, deploymentId: 'x' },
      { kind: 'downloaded', operation, manifestDigest: digestOf('1') },
      { kind: 'activated', operation },
      { kind: 'restored', operation },
      { kind: 'verdict', operation, failedChecks: [] },
    ] as const) {
      expect(step(disk, event, NOW_MS)).toEqual({ next: disk, effects: [] })
    }
    const resting = newWorld().disk
    const staged = { kind: 'staged', operation: 0, deploymentId: 'x' } as const
    expect(step(resting, staged, NOW_MS).next).toBe(resting)
    expect(step(resting, failed(newWorld()), NOW_MS).next).toBe(resting)
    expect(step(resting, { kind: 'timer' }, NOW_MS).next).toBe(resting)
    expect(
      step(resting, { kind: 'started', facts: factsOf(newHost('0')), found: 'Unmoved' }, NOW_MS),
    ).toEqual({ next: resting, effects: [] })
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

  it.each(['Activating', 'Rebooting', 'Verifying', 'RollingBack'] as const)(
    'has no say in %s, and is followed when that step has ended',
    (phase) => {
      const world = worldIn(phase, acceptedPlan(phase === 'RollingBack' ? '3' : '1'))
      const before = world.pending
      accept(world, acceptedPlan('2', { counter: 2, generation: 2 }))
      expect(world.disk.at.phase).toBe(phase)
      expect(world.pending).toBe(before)
      settle(world, fine, NOW_MS)
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

describe('a failed image', () => {
  it('is left for the previous deployment, with the evidence, and never run again', () => {
    const world = newWorld()
    accept(world, acceptedPlan('3'))
    settle(world, fine, NOW_MS)
    expect(world.trace.slice(-3)).toEqual(['Verifying', 'RollingBack', 'RolledBack'])
    expect(world.host).toMatchObject({ currentId: '0-work1', defaultId: '0-work1', bootNumber: 3 })
    expect(world.disk.at).toMatchObject({
      failure: { code: 'HealthFailed', failedChecks: [{ name: 'web-up', detail: 'exit status 1' }] },
    })
    accept(world, acceptedPlan('3', { counter: 2, attempt: 2, generation: 9 }))
    settle(world, fine, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'DeniedDigest' } })
    expect(world.host.bootNumber).toBe(3)
  })

  it('that never comes up is reported as another one booted, and the default set back', () => {
    const world = newWorld()
    accept(world, acceptedPlan('4'))
    settle(world, fine, NOW_MS)
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
    settle(world, fine, NOW_MS)
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
  })

  it('is left too when another one comes up while it is verified', () => {
    const world = worldIn('Verifying')
    world.host.bootNumber += 1
    world.host.currentId = '0-work1'
    restart(world, NOW_MS)
    settle(world, fine, NOW_MS)
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
    settle(world, fine, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'SomethingFailed' } })
    expect(world.host).toMatchObject({ defaultId: '0-work1', bootNumber: 1 })
    expect(world.disk.deniedDigests).toEqual([])
  })

  it.each([
    ['expired', acceptedPlan('1', { counter: 2, activateUntilMs: 1_001 })],
    ['was withdrawn', acceptedPlan('1', { counter: 2, activateUntilMs: null })],
    ['went to another image', acceptedPlan('2', { counter: 2 })],
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
    settle(world, { sick: ['3'], dead: ['0'] }, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'Failed', failure: { code: 'RollbackFailed' } })
    expect(world.host.bootNumber).toBe(4)
  })
})

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
    const failure = { code: 'X', message: 'x', failedChecks: [] }
    const world = newWorld()
    const at = phase === 'Idle' ? { phase } : phase === 'Ready' ? { phase, plan } : { phase, plan, failure }
    world.disk = { ...world.disk, accepted: plan, at }
    world.host.bootNumber = 7
    expect(restarted(world)).toMatchObject({ at, booted: { bootId: 'boot-7' } })
    expect(world.pending).toEqual([])
  })

  it('does not tell a host without any state what to run', () => {
    const facts = factsOf(newHost('0'))
    const state = initialState(facts, NOW_MS)
    expect(step(state, resume(state, facts), NOW_MS)).toEqual({ next: state, effects: [] })
  })
})
