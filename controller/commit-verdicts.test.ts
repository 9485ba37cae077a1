import { expect, it } from 'vitest'
import { verdictsOf } from './commit-verdicts.ts'
import type { FleetView } from './rollout/fleet-views.ts'
import type { SourceState } from './sources-loop.ts'

const [head, before] = ['a'.repeat(40), 'b'.repeat(40)]
const source: SourceState = {
  name: 'fleet',
  url: 'https://git.example/os/fleet',
  branch: 'main',
  headCommit: head,
  acceptedCommit: head,
  acceptedSubject: 'Bump',
  acceptedSigner: '',
  rejection: null,
  error: '',
  lastPolledAtMs: 0,
  nextPollAtMs: 0,
  waiting: [],
}

function fleet(state: FleetView['state'], more: Partial<FleetView> = {}): FleetView {
  return {
    name: 'edge',
    state,
    revision: 'r',
    commit: head,
    repository: 'r.example/os',
    digest: `sha256:${'d'.repeat(64)}`,
    version: '42.1.3',
    stableDigest: '',
    stableVersion: '',
    denied: [],
    halted: null,
    limits: null,
    log: [],
    suspended: false,
    hostsTotal: 3,
    hostsUpdated: 1,
    hostsHealthy: 3,
    message: 'the message',
    rollout: null,
    acceptedCommit: head,
    ...more,
  }
}

const verdict = (view: FleetView): string => {
  const found = verdictsOf(source, [view]).find(({ context }) => context === 'bootfleet/edge')
  return `${found?.state}: ${found?.description}`
}

it.each([
  ['Synced', 'success: the fleet is on 42.1.3'],
  ['Progressing', 'pending: 42.1.3 is being rolled out'],
  ['AwaitingApproval', 'pending: 42.1.3 waits for approval'],
  ['Paused', 'pending: 42.1.3 is paused: the message'],
  ['Suspended', 'pending: the message'],
  ['Held', 'failure: the message'],
  ['RolledBack', 'failure: 42.1.3: the message'],
  ['Aborted', 'failure: 42.1.3: the message'],
] as const)('says of a fleet that is %s: %s', (state, wanted) => {
  expect(verdict(fleet(state))).toBe(wanted)
})

it('names an image without a version by its digest', () => {
  expect(verdict(fleet('Synced', { version: '' }))).toContain('the fleet is on sha256:dddddddddddd…')
})

it('says that the head is accepted, and of each fleet where it is', () => {
  expect(verdictsOf(source, [fleet('Synced')])).toMatchObject([
    { commit: head, context: 'bootfleet', state: 'success' },
    { commit: head, context: 'bootfleet/edge', state: 'success' },
  ])
})

it('says why a head is rejected in one line, while fleets are told of on the commit in force', () => {
  const rejection = { commit: head, issues: ['fleet.yaml:6:3: spec.tagg: unknown\n\n  6 | tagg: 1'] }
  const rejected = { ...source, acceptedCommit: before, rejection }
  expect(verdictsOf(rejected, [fleet('Synced', { acceptedCommit: before })])).toMatchObject([
    { commit: head, state: 'failure', description: 'rejected: fleet.yaml:6:3: spec.tagg: unknown' },
    { commit: before, context: 'bootfleet/edge', state: 'success' },
  ])
})

it('says nothing of a fleet before the engine has heard of the commit, nor of a source without one', () => {
  expect(verdictsOf(source, [fleet('Synced', { acceptedCommit: before })])).toHaveLength(1)
  expect(verdictsOf({ ...source, headCommit: '', acceptedCommit: '' }, [fleet('Synced')])).toEqual([])
})
