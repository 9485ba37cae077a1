import { describe, expect, it } from 'vitest'
import { duration, renderReason, shortDigest, shortImage } from './sentences.ts'
import type { BlockingReason, PauseCause } from './states.ts'

const causes: readonly PauseCause[] = [
  { kind: 'User', actor: 'kim', reason: '', atMs: 0 },
  { kind: 'User', actor: 'kim', reason: 'lunch', atMs: 0 },
  { kind: 'Failure', message: 'till-17 failed health check web-up', atMs: 0 },
  { kind: 'Approval', message: 'nobody approved wave "canary" within 72h', atMs: 0 },
  { kind: 'Inconclusive', message: 'analysis "errors" proves nothing', atMs: 0 },
  { kind: 'Unreachable', message: 'no host of wave "all" could be reached', atMs: 0 },
  { kind: 'Deadline', message: 'wave "all" passed its deadline', atMs: 0 },
]
const reasons: readonly BlockingReason[] = [
  { kind: 'NoFleet' },
  { kind: 'MultipleOwners', fleets: ['a', 'b'] },
  { kind: 'FleetNotWanted' },
  { kind: 'Suspended' },
  { kind: 'Unverified', message: 'verifying r.example/os: no signature was found' },
  { kind: 'Denied', digest: `sha256:${'ab'.repeat(32)}`, reason: 'till-17 failed' },
  ...causes.map((cause): BlockingReason => ({ kind: 'RolloutPaused', cause })),
  { kind: 'Held', reason: 'repair', inMs: null },
  { kind: 'Held', reason: 'repair', inMs: 60_000 },
  {
    kind: 'Drifted(local)',
    host: 'till-17',
    user: 'kim',
    command: 'rollback',
    digest: null,
    atMs: 0,
    agoMs: 0,
  },
  { kind: 'PinNotFound', digest: `sha256:${'ab'.repeat(32)}` },
  { kind: 'Learning', inMs: 60_000 },
  { kind: 'FirstReports', hosts: 1, inMs: 60_000 },
  { kind: 'FirstReports', hosts: 3, inMs: 60_000 },
  { kind: 'WaitsForWave', wave: 'canary' },
  { kind: 'RolloutAborted', actor: 'kim', reason: 'not today' },
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
        "nothing is granted: verifying r.example/os: no signature was found; it is looked at again with every poll",
        "sha256:abababababab… is denied (till-17 failed); git must name another digest",
        "paused by kim",
        "paused by kim: "lunch"",
        "paused after a failure: till-17 failed health check web-up; name another image in git, retry failed hosts, or promote past them",
        "paused: nobody approved wave "canary" within 72h; approve it, or resume to ask again",
        "paused: analysis "errors" proves nothing; resume to look again, or promote to go on without",
        "paused: no host of wave "all" could be reached; check the network, then resume",
        "paused: wave "all" passed its deadline; resume gives it as long again",
        "held in git until git says otherwise: repair",
        "held in git for another 1m0s: repair",
        "kim made it boot an unknown image with container-snap rollback, 0s ago; it is left so and granted nothing until "bootfleet resume host/till-17"",
        "pinned to sha256:abababababab…, which its fleet's repository does not have; pin another digest",
        "the store was lost; hosts are asked for what was denied, for another 1m0s",
        "its first rollout waits for 1 host to report, which may know of denied images, for another 1m0s at most",
        "its first rollout waits for 3 hosts to report, which may know of denied images, for another 1m0s at most",
        "waits for wave "canary"",
        "its rollout was aborted by kim: "not today"; hosts keep what they run; git must name another image, or retry",
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
