import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { hasDrifted, readReport, runsImage } from './evidence.ts'
import type { GrantRecord } from './records.ts'
import type { HostReport } from './report.ts'

const image = imageOf('1.0.0')
const grant: GrantRecord = {
  rolloutId: 'edge.1',
  hostId: 'h1',
  generation: 1,
  attempt: 1,
  direction: 'Forward',
  image: null,
  pinned: false,
  failedBefore: false,
  stageUntilMs: null,
  activateUntilMs: 9,
  bootIdBefore: 'boot-1',
  brokenBefore: false,
  activateGrantedAtMs: null,
  retries: { download: 0, stage: 0 },
  notBeforeMs: null,
  failures: 0,
  retried: null,
  inconclusive: 0,
  endBy: 9,
  phase: 'Rebooting',
  message: '',
  grantedAtMs: 0,
  endedAtMs: null,
}
const healthy: HostReport = {
  plan: { rollout: 'edge.1', generation: 1, attempt: 1, term: 1, counter: 1 },
  phase: 'Healthy',
  bootedDigest: image.digest,
  bootedManifestDigest: image.manifests['amd64'] ?? null,
  bootedVersion: '',
  defaultDigest: null,
  targetDigest: null,
  bootId: 'boot-2',
  health: { verdict: 'Passed', failedChecks: [] },
  failure: null,
  architecture: 'amd64',
  deniedDigests: [],
  etcConflicts: [],
  phaseEnteredAtMs: 0,
}
const elsewhere = { bootedDigest: null, bootedManifestDigest: null }
const failed = (code: string): HostReport => ({
  ...healthy,
  phase: 'Failed',
  failure: { code, message: 'why', evidence: [] },
})

describe('a report', () => {
  it.each<[string, Partial<GrantRecord>, Partial<HostReport>, string | null]>([
    ['proves success on the wanted digest under a new boot id', {}, {}, 'Succeeded'],
    ['proves nothing under the old boot id', {}, { bootId: 'boot-1' }, null],
    ['proves nothing before the verdict', {}, { health: { verdict: 'Unknown', failedChecks: [] } }, null],
    ['proves nothing for an older attempt', { attempt: 2 }, {}, null],
    ['proves nothing for an older generation', { generation: 2 }, {}, null],
    ['proves nothing for another rollout', { rolloutId: 'edge.2' }, {}, null],
    ['proves nothing without a plan', {}, { plan: null }, null],
    ['fails a host that booted something else', {}, elsewhere, 'Failed'],
    ['fails a host that booted something else and rests', {}, { ...elsewhere, phase: 'Idle' }, 'Failed'],
    [
      'leaves a host that rests before its reboot',
      { bootIdBefore: null, phase: 'Granted' },
      { ...elsewhere, phase: 'Idle' },
      null,
    ],
    ['fails by the host’s own word', {}, failed('DownloadFailed'), 'Failed'],
    ['rejects what can never run', {}, failed('RejectedSignature'), 'Rejected'],
    ['fails without a reason', {}, { phase: 'Failed' }, 'Failed'],
    ['never moves a phase back', {}, { phase: 'Downloading' }, null],
    ['never changes an end that the host told', { phase: 'RolledBack' }, {}, null],
    ['corrects a time-out by an end', { phase: 'TimedOut' }, {}, 'Succeeded'],
    ['leaves a time-out until the end', { phase: 'TimedOut' }, { phase: 'Verifying' }, null],
    [
      'tells that a withdrawn grant was past its commit point',
      { phase: 'Superseded' },
      { phase: 'Rebooting' },
      'Rebooting',
    ],
    ['tells how a withdrawn grant ended', { phase: 'Removed' }, {}, 'Succeeded'],
    ['leaves a withdrawn grant that only staged', { phase: 'Cancelled' }, { phase: 'Staged' }, null],
    [
      'leaves a withdrawn grant that never could activate',
      { phase: 'Skipped', bootIdBefore: null },
      { phase: 'Activating' },
      null,
    ],
    [
      'corrects an adopted host by its failure',
      { phase: 'Succeeded', bootIdBefore: null },
      { phase: 'RolledBack' },
      'RolledBack',
    ],
    [
      'leaves an adopted host that checks itself',
      { phase: 'Succeeded', bootIdBefore: null },
      { phase: 'Verifying' },
      null,
    ],
  ])('%s', (_name, of, said, phase) => {
    expect(readReport({ ...grant, ...of }, image, { ...healthy, ...said })?.phase ?? null).toBe(phase)
  })

  it('tells a long detail as far as a sentence bears, and marks that there was more', () => {
    const told = (detail: string) => {
      const health = { verdict: 'Failed', failedChecks: [{ name: 'web-up', detail }] } as const
      return readReport(grant, image, { ...failed('X'), health })?.message
    }
    expect(told('x'.repeat(80))).toBe(`failed health check web-up (${'x'.repeat(80)})`)
    expect(told('💾'.repeat(41))).toBe(`failed health check web-up (${'💾'.repeat(39)}…)`)
  })

  it('names the failed checks, else the message, else that there is none', () => {
    const check = { name: 'web-up', detail: '' }
    const said = (report: HostReport) => readReport(grant, image, report)?.message
    expect(said({ ...failed('X'), health: { verdict: 'Failed', failedChecks: [check] } })).toBe(
      'failed health check web-up',
    )
    expect(said(failed('X'))).toBe('why')
    expect(said({ ...healthy, phase: 'RolledBack' })).toBe('failed without saying why')
    expect(said({ ...healthy, bootedDigest: 'sha256:x', bootedManifestDigest: 'sha256:y' })).toBe(
      'booted sha256:x instead',
    )
  })

  it('compares what git named when the host does not know its manifest', () => {
    expect(runsImage({ ...healthy, bootedManifestDigest: null }, image)).toBe(true)
    expect(runsImage({ ...healthy, ...elsewhere }, image)).toBe(false)
    expect(runsImage({ ...healthy, architecture: 'arm64' }, image)).toBe(false)
  })

  it('tells a drift only about its own step and only at rest', () => {
    const drifted = { ...healthy, ...elsewhere }
    expect(hasDrifted(drifted, grant, image)).toBe(true)
    expect(hasDrifted({ ...drifted, phase: 'Idle' }, grant, image)).toBe(true)
    expect(hasDrifted({ ...drifted, phase: 'Verifying' }, grant, image)).toBe(false)
    expect(hasDrifted({ ...drifted, plan: null }, grant, image)).toBe(false)
  })
})
