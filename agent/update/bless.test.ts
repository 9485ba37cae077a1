import { describe, expect, it } from 'vitest'
import { acceptedPlan, restart, settle, take, turn } from '../testing/machine-model.ts'
import { BEHAVIOUR, NOW_MS, accept, failed, kindsOf, newWorld, worldIn } from '../testing/world.ts'

describe('an image whose checks passed', () => {
  it('is healthy only when it boots without being tried', () => {
    const world = worldIn('Blessing')
    expect(kindsOf(world)).toEqual(['bless'])
    expect(world.trace).not.toContain('Healthy')
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at.phase).toBe('Healthy')
    expect(world.host.deployments.at(-1)).toMatchObject({ deploymentId: '1-work2', blessed: true })
  })

  it('is left, but not denied, when that cannot be done', () => {
    const world = worldIn('Blessing')
    for (let tries = 1; tries <= 5; tries += 1) {
      expect(world.disk.at.phase).toBe('Blessing')
      take(world, failed(world, { code: 'BlessFailed' }), NOW_MS)
      take(world, { kind: 'timer' }, NOW_MS + tries * 100_000)
    }
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack', failure: { code: 'BlessFailed' } })
    expect(world.host.currentId).toBe('0-work1')
    expect(world.disk.deniedDigests).toEqual([])
  })

  it('is checked again when it booted again before it was blessed', () => {
    const world = worldIn('Blessing')
    world.host.bootNumber += 1
    restart(world, NOW_MS)
    expect(world.disk.at.phase).toBe('Verifying')
  })

  it('is left when another one came up before it was blessed', () => {
    const world = worldIn('Blessing')
    world.host.bootNumber += 1
    world.host.currentId = '0-work1'
    restart(world, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RollingBack', failure: { code: 'BootedOther' } })
  })
})

describe('what came back after a fallback', () => {
  it('is checked by what it was proven by, and said to be well', () => {
    const world = newWorld()
    const proof = acceptedPlan('0')
    accept(world, { ...proof, health: { ...proof.health, checks: ['old-check'] } })
    settle(world, BEHAVIOUR, NOW_MS)
    accept(world, acceptedPlan('3', { counter: 2, generation: 2 }))
    for (let turns = 0; world.disk.at.phase !== 'RolledBack' && turns < 20; turns += 1) {
      turn(world, BEHAVIOUR, NOW_MS)
    }
    expect(world.disk.at).toMatchObject({ running: { kind: 'Unknown' } })
    expect(world.pending).toMatchObject([{ kind: 'checkHealth', health: { checks: ['old-check'] } }])
    restart(world, NOW_MS)
    expect(kindsOf(world)).toEqual(['checkHealth'])
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack', running: { kind: 'Passed' } })
    accept(world, acceptedPlan('1', { counter: 3, generation: 3 }))
    expect(kindsOf(world)).toEqual(['pull'])
  })

  it('is said not to be well when its checks fail, or cannot be run', () => {
    const world = newWorld()
    accept(world, acceptedPlan('3'))
    settle(world, { ...BEHAVIOUR, sick: ['0', '3'] }, NOW_MS)
    expect(world.disk.at).toMatchObject({
      phase: 'RolledBack',
      running: { kind: 'Failed', failedChecks: [{ name: 'web-up' }] },
    })
    const other = newWorld()
    accept(other, acceptedPlan('4'))
    for (let turns = 0; other.disk.at.phase !== 'RolledBack' && turns < 20; turns += 1)
      turn(other, BEHAVIOUR, NOW_MS)
    take(other, failed(other, { message: 'no shell' }), NOW_MS)
    expect(other.disk.at).toMatchObject({
      running: { kind: 'Failed', failedChecks: [{ detail: 'no shell' }] },
    })
  })

  it('is checked no longer when another step comes', () => {
    const world = newWorld()
    accept(world, acceptedPlan('4'))
    for (let turns = 0; world.disk.at.phase !== 'RolledBack' && turns < 20; turns += 1)
      turn(world, BEHAVIOUR, NOW_MS)
    accept(world, acceptedPlan('4', { counter: 2 }))
    expect(kindsOf(world)).toEqual(['checkHealth'])
    accept(world, acceptedPlan('1', { counter: 3, generation: 3, stageUntilMs: null }))
    expect(world.disk.at.phase).toBe('Idle')
    expect(world.pending).toEqual([])
  })

  it('brings the evidence of the boot that failed', () => {
    const world = newWorld()
    accept(world, acceptedPlan('3'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.at).toMatchObject({
      failure: { code: 'HealthFailed', evidence: ['3-work2 was tried'] },
    })
    const other = newWorld()
    accept(other, acceptedPlan('4'))
    settle(other, BEHAVIOUR, NOW_MS)
    expect(other.disk.at).toMatchObject({ failure: { code: 'BootedOther', evidence: ['4-work2 was tried'] } })
  })
})
