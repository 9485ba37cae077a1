import { describe, expect, it } from 'vitest'
import { acceptedPlan, settle, take } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { BEHAVIOUR, NOW_MS, accept, failed, newWorld, worldIn } from '../testing/world.ts'
import { statusLines, whyLines } from './words.ts'

const known = {
  id: '1-work2',
  digest: digestOf('1'),
  manifestDigest: digestOf('1'),
  blessed: true,
  bad: null,
  entry: 'x.conf',
  triesLeft: null,
  kernelArguments: [],
}

const hourMs = 3_600_000
const asked = { hostName: 'till-1', nowMs: NOW_MS }
const at = (laterMs: number) => ({ nowMs: NOW_MS + laterMs, staleAfterMs: 48 * hourMs })

describe('what a host says of itself', () => {
  it('names what runs, what boots next, and how far the plan is', () => {
    const { disk } = worldIn('Healthy')
    const other = { ...known, id: '2-work1', digest: '', blessed: false, triesLeft: 2 }
    const status = {
      current: known,
      default: other,
      activated: null,
      deployments: [],
      loader: 'grub',
      guard: null,
      kernelLine: null,
    }
    expect(statusLines({ ...disk, etcConflicts: ['/etc/motd'] }, status, at(180_000))).toEqual([
      `runs    ${digestOf('1')} (1-work2; proven)`,
      'next    of an unknown image (2-work1; not proven, 2 tries left)',
      `plan    1 ${digestOf('1')} (rollout edge-1, attempt 1)`,
      'phase   Healthy for 3 min',
      "etc     /etc/motd was changed here and in the image; the host's was kept",
    ])
    expect(statusLines(null, { ...status, current: null, default: null }, at(0))).toEqual([
      'runs    a root that is no deployment',
      'next    a root that is no deployment',
      'plan    none: what runs is no deployment, so this host only reports; "bootfleet-agent adopt" makes it one',
    ])
    const bad = { ...known, bad: 'HealthFailed' }
    expect(statusLines(newWorld().disk, { ...status, current: bad, default: bad }, at(0))).toEqual([
      `runs    ${digestOf('1')} (1-work2; bad: HealthFailed)`,
      'next    the same',
      'plan    none yet',
      'phase   Idle for 1 s',
    ])
  })

  it('says so when no newly signed plan has come for too long', () => {
    const world = newWorld()
    const lines = (laterMs: number) => statusLines(world.disk, null, at(laterMs)).join('\n')
    expect(lines(1_000 * hourMs)).not.toContain('PlansStale')
    accept(world, acceptedPlan('1', { issuedAtMs: NOW_MS }))
    expect(lines(48 * hourMs)).not.toContain('PlansStale')
    expect(lines(49 * hourMs)).toContain(
      'stale   PlansStale: the newest plan was signed 49 h ago, and more than 48 h is too long',
    )
  })

  it('says who chose what it boots, before anything that a plan wants', () => {
    const { disk } = worldIn('Healthy')
    const moved = { id: 'm1', user: 'kim', command: 'rollback', atMs: 0, digest: digestOf('1') }
    expect(whyLines({ ...disk, moved }, null, asked)).toEqual([
      `Drifted(local): kim made ${digestOf('1')} boot with container-snap rollback, 1970-01-01T00:00:00.000Z`,
      '  the agent leaves it so, and takes no step until "bootfleet resume host/till-1" lets it go on',
    ])
    expect(whyLines({ ...disk, moved: { ...moved, digest: null } }, null, asked)[0]).toContain(
      'an image that nobody',
    )
    expect(statusLines({ ...disk, moved }, null, at(0))).toContain(
      'moved   by kim with container-snap rollback, 1970-01-01T00:00:00.000Z',
    )
    const accepted = acceptedPlan('1', { resumed: 'm1' })
    expect(whyLines({ ...disk, accepted, moved }, null, asked)[0]).toContain(
      'nothing: the image of the plan runs',
    )
  })

  it('says first why it is not where its plan wants it', () => {
    const why = (phase: Parameters<typeof worldIn>[0], plan = acceptedPlan('1')) =>
      whyLines(worldIn(phase, plan).disk, null, asked).join('\n')
    expect(whyLines(null, null, asked)[0]).toContain('never run')
    expect(whyLines(newWorld().disk, null, asked)).toEqual(['no plan has come yet'])
    expect(why('Staged', acceptedPlan('1', { activateUntilMs: null }))).toContain('has not granted it')
    expect(why('Staged', acceptedPlan('1', { activateUntilMs: NOW_MS - 1 }))).toContain('the grant ended')
    expect(why('Verifying')).toContain('the verdict is due in 10 s')
    expect(why('Healthy')).toContain('nothing')
    expect(why('Downloading')).toContain('under way')
  })

  it('tells failures with their evidence, and how often something was tried', () => {
    const world = newWorld()
    accept(world, acceptedPlan('3'))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(whyLines(world.disk, null, asked)).toEqual([
      'HealthFailed: check web-up failed: exit status 1',
      '  check web-up: exit status 1',
      '  3-work2 was tried',
    ])
    const retrying = worldIn('Downloading')
    take(retrying, failed(retrying), NOW_MS)
    expect(whyLines(retrying.disk, null, asked)[0]).toMatch(/failed 1 times, and is tried again in \d+ s/)
  })
})
