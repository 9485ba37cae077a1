import { describe, expect, it } from 'vitest'
import { Phase, Verdict } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { acceptedPlan, settle, turn } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { BEHAVIOUR, NOW_MS, accept, newWorld, worldIn } from '../testing/world.ts'
import { toReport } from './report.ts'
import type { HostDescription } from './report.ts'

const host: HostDescription = {
  hostName: 'till-1',
  architecture: 'amd64',
  osId: '',
  osVersion: '',
  agentVersion: '',
  driver: '',
  keysKept: () => 'plain',
}

const report = ({ disk }: World) => toReport(disk, host)

/** Back on the image before, whose checks have not ended. */
function fallen(): World {
  const world = newWorld()
  accept(world, acceptedPlan('3'))
  for (let turns = 0; world.disk.at.phase !== 'RolledBack' && turns < 20; turns += 1) {
    turn(world, BEHAVIOUR, NOW_MS)
  }
  return world
}

describe('a report', () => {
  it('says what boots next, also between the activation and the reboot', () => {
    expect(report(newWorld()).defaultDigest).toBe(digestOf('0'))
    expect(report(worldIn('Rebooting')).defaultDigest).toBe(digestOf('1'))
    expect(report(worldIn('Healthy')).defaultDigest).toBe(digestOf('1'))
    const world = newWorld()
    world.disk = { ...world.disk, booted: { ...world.disk.booted, default: null } }
    expect(report(world).defaultDigest).toBe('')
  })

  it('says who chose what boots, where it was a person', () => {
    const world = worldIn('Healthy')
    expect(report(world).localMove).toBeUndefined()
    const moved = { id: 'm1', user: 'kim', command: 'switch', atMs: 7, digest: null }
    world.disk = { ...world.disk, moved }
    expect(report(world).localMove).toMatchObject({
      id: 'm1',
      user: 'kim',
      command: 'switch',
      atMs: 7n,
      digest: '',
    })
  })

  it('says what is on the kernel’s line without the secrets that are', () => {
    const source = 'machine'
    const words = ['quiet', 'rd.iscsi.password=s3cret', 'netroot=iscsi:kim:s3cret@10.0.0.1::::iqn']
    const kernelLine = words.map((argument) => ({ argument, source }))
    expect(toReport(newWorld().disk, { ...host, kernelLine }).kernelLine?.arguments).toMatchObject([
      { argument: 'quiet', source },
      { argument: 'rd.iscsi.password=…', source },
      { argument: 'netroot=iscsi:…@10.0.0.1::::iqn', source },
    ])
  })

  it('has a kernel line wherever a plan may put arguments on it, read or not', () => {
    const { disk } = newWorld()
    expect(toReport(disk, { ...host, kernelLine: null }).kernelLine).toMatchObject({ ofHost: [] })
    expect(toReport(disk, { ...host, kernelLine: 'NotOurs' }).kernelLine).toBeUndefined()
  })

  it('says what in /etc was changed on both sides', () => {
    const world = newWorld()
    world.disk = { ...world.disk, etcConflicts: ['/etc/motd'] }
    expect(report(world).etcConflicts).toEqual(['/etc/motd'])
  })

  it('says whether its boot loader counts tries, and nothing where nobody knows', () => {
    const guardOf = (bootGuard: HostDescription['bootGuard']) =>
      toReport(newWorld().disk, { ...host, bootGuard: bootGuard ?? null }).facts?.bootGuard
    expect([guardOf('uncounted'), guardOf('counted'), guardOf(null)]).toEqual(['uncounted', 'counted', ''])
    expect(report(newWorld()).facts?.bootGuard).toBe('')
  })

  it('says what changed in /etc by name, why it cannot, or that nobody has looked yet', () => {
    const { disk } = newWorld()
    const changes = [{ path: 'motd', kind: 'changed' }]
    const known = { kind: 'known', changes, more: 3 } as const
    expect(toReport(disk, host).etcChanges).toMatchObject({ takenAtMs: 0n, changes: [], problem: '' })
    expect(toReport(disk, { ...host, etc: { found: known, takenAtMs: 7 } }).etcChanges).toMatchObject({
      takenAtMs: 7n,
      changes,
      more: 3,
      problem: '',
    })
    const unknown = { kind: 'unknown', problem: 'no deployment' } as const
    expect(toReport(disk, { ...host, etc: { found: unknown, takenAtMs: 7 } }).etcChanges).toMatchObject({
      takenAtMs: 7n,
      changes: [],
      problem: 'no deployment',
    })
  })

  it('is of a verification until the image is blessed, and of a way back until it is judged', () => {
    expect(report(worldIn('Blessing'))).toMatchObject({
      phase: Phase.VERIFYING,
      health: { verdict: Verdict.UNKNOWN },
    })
    const world = fallen()
    const { plan, failure } = world.disk.at as Extract<World['disk']['at'], { phase: 'RolledBack' }>
    world.disk = { ...world.disk, at: { phase: 'Judging', plan, failure, deadlineAtMs: 0 } }
    expect(report(world).phase).toBe(Phase.ROLLING_BACK)
  })

  it('has the verdict on what runs, which is the image before until another one boots', () => {
    const world = newWorld()
    accept(world, acceptedPlan('1', { stageUntilMs: null }))
    expect(report(world).health?.verdict).toBe(Verdict.UNKNOWN)
    accept(world, acceptedPlan('0', { counter: 2, generation: 2 }))
    settle(world, BEHAVIOUR, NOW_MS)
    accept(world, acceptedPlan('1', { counter: 3, generation: 3 }))
    const seen = new Set<string>()
    for (; world.disk.at.phase !== 'Verifying'; turn(world, BEHAVIOUR, NOW_MS))
      seen.add(`${world.disk.at.phase} ${report(world).health?.verdict}`)
    expect([...seen]).toEqual(
      ['Downloading', 'Staging', 'Activating', 'Rebooting'].map((phase) => `${phase} ${Verdict.PASSED}`),
    )
    expect(report(world).health?.verdict).toBe(Verdict.UNKNOWN)
  })

  it('after a fallback has the evidence, and the verdict on what runs as soon as there is one', () => {
    const world = fallen()
    expect(report(world)).toMatchObject({
      phase: Phase.ROLLED_BACK,
      health: { verdict: Verdict.FAILED, failedChecks: [{ name: 'web-up' }] },
      failure: { code: 'HealthFailed', evidence: ['3-work2 was tried'] },
    })
    settle(world, BEHAVIOUR, NOW_MS)
    expect(report(world)).toMatchObject({
      health: { verdict: Verdict.PASSED, failedChecks: [{ name: 'web-up' }] },
      failure: { evidence: ['3-work2 was tried'] },
    })
    const sick = fallen()
    settle(sick, { ...BEHAVIOUR, sick: ['0', '3'] }, NOW_MS)
    expect(report(sick)).toMatchObject({
      health: { verdict: Verdict.FAILED },
      failure: { evidence: ['3-work2 was tried', 'running now, check web-up failed: exit status 1'] },
    })
  })
})
