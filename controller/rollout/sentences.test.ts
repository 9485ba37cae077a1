import { describe, expect, it } from 'vitest'
import { duration, renderReason, shortDigest, shortImage } from './sentences.ts'
import type { BlockingReason, PauseCause } from './states.ts'

const causes: readonly PauseCause[] = [
  { kind: 'User', actor: 'kim', reason: '', atMs: 0 },
  { kind: 'User', actor: 'kim', reason: 'lunch', atMs: 0 },
  { kind: 'Failure', message: 'till-17 failed health check web-up', atMs: 0 },
  { kind: 'Unreachable', message: 'no host of wave "all" could be reached', atMs: 0 },
  { kind: 'Deadline', message: 'wave "all" passed its deadline', atMs: 0 },
]
const reasons: readonly BlockingReason[] = [
  { kind: 'NoFleet' },
  { kind: 'MultipleOwners', fleets: ['a', 'b'] },
  { kind: 'FleetNotWanted' },
  { kind: 'Suspended' },
  { kind: 'Denied', digest: `sha256:${'ab'.repeat(32)}`, reason: 'till-17 failed' },
  ...causes.map((cause): BlockingReason => ({ kind: 'RolloutPaused', cause })),
  { kind: 'WaitsForWave', wave: 'canary' },
  { kind: 'DownloadSlots', downloading: 50, allowed: 50 },
  { kind: 'MaxUnavailable', unavailable: 2, allowed: 2 },
  { kind: 'Unreachable' },
  { kind: 'NoManifestForArchitecture', architecture: 'riscv64' },
  { kind: 'OldRolloutInFlight', rolloutId: 'edge.1' },
  { kind: 'Ended', phase: 'TimedOut', message: 'did not report after its reboot' },
]

describe('sentences for operators', () => {
  it('says every reason in one line', () => {
    expect(reasons.map(renderReason)).toMatchInlineSnapshot(`
      [
        "no fleet selects this host; give it labels that one does",
        "fleets a and b both select this host and neither acts; narrow a selector",
        "its fleet is not in git now; it keeps what it runs",
        "its fleet is suspended in git",
        "sha256:abababababab… is denied (till-17 failed); git must name another digest",
        "paused by kim",
        "paused by kim: "lunch"",
        "paused after a failure: till-17 failed health check web-up; fix it in git, or resume",
        "paused: no host of wave "all" could be reached; check the network, then resume",
        "paused: wave "all" passed its deadline; resume gives it as long again",
        "waits for wave "canary"",
        "waits for its download: 50 of at most 50 hosts are downloading",
        "staged; waits for a slot: 2 of at most 2 hosts are restarting",
        "not connected; it gets its turn when it reports",
        "the image has no manifest for riscv64; push one for it",
        "still ends its step of rollout edge.1",
        "timed out: did not report after its reboot",
      ]
    `)
  })

  it('shortens digests and names images without a version by their repository', () => {
    expect(shortDigest('plain')).toBe('plain')
    expect(
      shortImage({ repository: 'os', version: '', digest: `sha256:${'cd'.repeat(32)}`, manifests: {} }),
    ).toBe('os@sha256:cdcdcdcdcdcd…')
  })

  it('says durations in their two largest units', () => {
    expect([0, 1, 61_000, 43_080_000, 90_000_000].map(duration)).toEqual([
      '0s',
      '1s',
      '1m1s',
      '11h58m',
      '1d1h',
    ])
  })
})
