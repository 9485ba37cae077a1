import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { StatusSchema } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import { judge } from './wait.ts'
import type { WaitMemory, WaitTarget } from './wait.ts'

const c1 = '1'.repeat(40)
const c2 = '2'.repeat(40)
const c3 = '3'.repeat(40)
const head: WaitTarget = { name: c2, fleet: null, known: true }
const revision = 'ab'.repeat(32)

type FleetInit = {
  name?: string
  state?: string
  acceptedCommit?: string
  revision?: string
  rollout?: { state: string; pausedFor?: string }
}

function status(headCommit: string, acceptedCommit: string, ...fleets: FleetInit[]): Status {
  return create(StatusSchema, {
    source: { headCommit, acceptedCommit },
    fleets: fleets.map((fleet) => ({ name: 'edge', state: 'Synced', acceptedCommit, revision, ...fleet })),
  })
}

function exitOf(target: WaitTarget, ...statuses: Status[]): number | 'waiting' {
  let memory: WaitMemory | null = null
  let end: number | 'waiting' = 'waiting'
  for (const each of statuses) {
    const step = judge(target, memory, each)
    memory = step.memory
    end = step.verdict.kind === 'ended' ? step.verdict.exit : 'waiting'
  }
  return end
}

it.each<[string, number | 'waiting', FleetInit[]]>([
  ['every fleet is synced', 0, [{}, { name: 'lab' }]],
  ['a fleet without hosts is done', 0, [{ state: 'Empty' }]],
  ['one fleet is still under way', 'waiting', [{}, { name: 'lab', state: 'Progressing' }]],
  [
    'a failure ends the wait although another is under way',
    3,
    [{ state: 'Progressing' }, { state: 'RolledBack' }],
  ],
  ['the digest is denied', 3, [{ state: 'Held' }]],
  ['the rollout was aborted', 3, [{ state: 'Aborted' }]],
  ['a wave waits for approval', 5, [{ state: 'AwaitingApproval' }]],
  ['everything is halted', 5, [{ state: 'Halted' }]],
  [
    'hosts are still being sent back',
    'waiting',
    [{ state: 'RolledBack', rollout: { state: 'RollingBack' } }],
  ],
  ['paused by a person', 5, [{ state: 'Paused', rollout: { state: 'Paused', pausedFor: 'User' } }]],
  ['paused by a failure', 3, [{ state: 'Paused', rollout: { state: 'Paused', pausedFor: 'Failure' } }]],
  ['suspended in git', 5, [{ state: 'Suspended' }]],
  ['a fleet is still told about the commit before', 'waiting', [{ acceptedCommit: c1 }]],
  ['a commit without fleets', 0, []],
])('%s: %s', (_name, exit, fleets) => {
  expect(exitOf(head, status(c2, c2, ...fleets))).toBe(exit)
})

it('waits while the commit is seen and not yet in force', () => {
  expect(exitOf(head, status(c2, c1, {}))).toBe('waiting')
})

it('ends 6 when a newer commit takes its place', () => {
  expect(exitOf(head, status(c2, c2, { state: 'Progressing' }), status(c3, c3, {}))).toBe(6)
  expect(exitOf(head, status(c2, c1, {}), status(c3, c3, {}))).toBe(6)
})

it('does not take the commit that was in force before for a newer one', () => {
  expect(exitOf(head, status(c1, c1, {}))).toBe('waiting')
})

it('ends 1 with the first issue when the commit is rejected', () => {
  const rejected = create(StatusSchema, {
    source: {
      headCommit: c2,
      acceptedCommit: c1,
      rejection: { commit: c2, issues: ['a.yaml:1:2: wrong\n  1 | x'] },
    },
  })
  expect(judge(head, null, rejected).verdict).toEqual({
    kind: 'ended',
    exit: 1,
    message: 'commit 2222222 is rejected: a.yaml:1:2: wrong',
  })
})

it('waits for a commit nobody has seen yet, by its beginning', () => {
  const target: WaitTarget = { name: '2222', fleet: null, known: false }
  expect(exitOf(target, status(c1, c1, {}))).toBe('waiting')
  expect(exitOf(target, status(c1, c1, {}), status(c2, c2, {}))).toBe(0)
})

it('waits for a revision by its beginning, whatever the commit', () => {
  const target: WaitTarget = { name: 'abab', fleet: null, known: false }
  expect(exitOf(target, status(c3, c3, { state: 'Progressing' }))).toBe('waiting')
  expect(exitOf(target, status(c3, c3, {}))).toBe(0)
  expect(exitOf(target, status(c3, c3, {}), status(c1, c1, { revision: 'cd' }))).toBe(6)
})

it('looks only at the named fleet, and says when there is none', () => {
  const lab: FleetInit = { name: 'lab', state: 'Failed' }
  expect(exitOf({ ...head, fleet: 'edge' }, status(c2, c2, {}, lab))).toBe(0)
  expect(exitOf({ ...head, fleet: 'shop' }, status(c2, c2, {}, lab))).toBe(1)
})

it('waits for the fleets of the source whose commit is meant, whatever those of another do', () => {
  const of = (edge: string, lab: string): Status =>
    create(StatusSchema, {
      source: { headCommit: c1, acceptedCommit: c1 },
      sources: [
        { name: 'apps', headCommit: c1, acceptedCommit: c1 },
        { name: 'platform', headCommit: c2, acceptedCommit: c2 },
      ],
      fleets: [
        { name: 'edge', state: edge, acceptedCommit: c1 },
        { name: 'lab', state: lab, acceptedCommit: c2 },
      ],
    })
  const target = { name: c2, fleet: null, known: true }
  expect(exitOf(target, of('RolledBack', 'Progressing'))).toBe('waiting')
  expect(exitOf(target, of('Progressing', 'Synced'))).toBe(0)
})
