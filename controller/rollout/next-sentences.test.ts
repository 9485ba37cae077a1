import { expect, test } from 'vitest'
import type { Explanation } from './explain.ts'
import { renderNext } from './next-sentences.ts'
import type { HostPhase } from './states.ts'

const digest = `sha256:${'1'.repeat(64)}`
const cause = (kind: 'Failure' | 'Approval' | 'Inconclusive' | 'Unreachable' | 'Deadline') =>
  ({ kind: 'RolloutPaused', cause: { kind, message: 'm', atMs: 0 } }) as const
const window = { kind: 'Window', action: 'Activate', opens: '', inMs: 1, needMs: 1, longestMs: 1 } as const

const reasons: readonly Explanation[] = [
  { kind: 'NoFleet' },
  { kind: 'MultipleOwners', fleets: ['a', 'b'] },
  { kind: 'FleetNotWanted' },
  { kind: 'Suspended' },
  { kind: 'Unverified', message: 'verifying r.example/os: no signature was found' },
  { kind: 'NothingToFollow', fleet: 'staging' },
  { kind: 'Denied', digest, reason: 'leaks' },
  { kind: 'Halted', fleet: null, actor: 'kim', reason: '' },
  { kind: 'Halted', fleet: 'edge', actor: 'kim', reason: '' },
  { kind: 'Held', reason: '', inMs: null },
  { kind: 'Held', reason: '', inMs: 1 },
  { kind: 'Unguarded', host: 'till-17' },
  {
    kind: 'Drifted(local)',
    host: 'till-17',
    user: 'kim',
    command: 'rollback',
    digest: null,
    atMs: 0,
    agoMs: 0,
  },
  { kind: 'Pinned', digest },
  { kind: 'PinNotFound', digest },
  { kind: 'Downgrade', from: '2', to: '1' },
  { kind: 'UnknownVersion', below: '2', reason: '' },
  { kind: 'Learning', inMs: 1 },
  { kind: 'FirstReports', hosts: 2, inMs: 1 },
  { kind: 'RolloutPaused', cause: { kind: 'User', actor: 'kim', reason: '', atMs: 0 } },
  cause('Failure'),
  cause('Approval'),
  cause('Inconclusive'),
  cause('Unreachable'),
  cause('Deadline'),
  { kind: 'WaitsForWave', wave: 'canary' },
  { kind: 'RolloutAborted', actor: 'kim', reason: '' },
  { kind: 'DownloadSlots', downloading: 1, allowed: 1 },
  { kind: 'MaxUnavailable', unavailable: 1, allowed: 1 },
  { kind: 'MaxUnavailable', unavailable: 0, allowed: 0 },
  { kind: 'TopologyBudget', topologyKey: 'rack', value: 'r1', unavailable: 1, allowed: 1 },
  { kind: 'Freeze', name: 'fair', inMs: 1 },
  window,
  { ...window, action: 'Download' },
  { ...window, inMs: null },
  { kind: 'Prefetched', wave: 'canary' },
  { kind: 'Rate', perMinute: 1, inMs: 1 },
  { kind: 'Backoff', message: '', inMs: 1, retry: 1, limit: 2 },
  { kind: 'Unreachable' },
  { kind: 'NoManifestForArchitecture', architecture: 'arm64' },
  { kind: 'OldRolloutInFlight', rolloutId: 'edge.1' },
  { kind: 'Ended', phase: 'RolledBack', message: 'm', denied: digest },
]

const phases: readonly HostPhase[] = [
  'Pending',
  'Granted',
  'Downloading',
  'Staged',
  'AwaitingSlot',
  'Activating',
  'Rebooting',
  'Verifying',
  'RollingBack',
  'Succeeded',
  'Failed',
  'Rejected',
  'RolledBack',
  'TimedOut',
  'Inconclusive',
  'Skipped',
  'Superseded',
  'Cancelled',
  'Removed',
]

test('every reason says in one line what comes next', () => {
  const lines = reasons.map((reason) => `${reason.kind}: ${renderNext(reason)}`)
  for (const line of lines) expect(line).not.toMatch(/\n|undefined|null|[.]$/)
  expect(lines).toMatchSnapshot()
})

test('every phase says in one line what comes next', () => {
  const lines = phases.flatMap((phase) => [
    `${phase}: ${renderNext({ kind: 'Progressing', phase, message: '' })}`,
    `ended ${phase}: ${renderNext({ kind: 'Ended', phase, message: '' })}`,
  ])
  for (const line of lines) expect(line).not.toMatch(/\n|undefined|null|[.]$/)
  expect(lines).toMatchSnapshot()
})
