import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { enrolReporting } from '../../test/support/report-only-host.ts'
import { rolledOut } from '../../test/support/rollout-fleet.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { Phase, ReportSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { EtcChangesSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { ListHostsRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { Host } from '../store/stored-hosts.ts'
import { hostsAsked } from './hosts-asked.ts'
import { reportFromWire } from './report-from-wire.ts'

const change = (path: string) => ({ path, kind: 'changed' })
const read = (etcChanges?: Parameters<typeof create<typeof EtcChangesSchema>>[1]) =>
  reportFromWire(create(ReportSchema, { phase: Phase.IDLE, ...(etcChanges && { etcChanges }) }))

it('what a host changed in /etc is taken over as text that is fit to be shown', () => {
  const etc = { changes: [change('motd\u001b[2J')], more: 2, takenAtMs: 7n, problem: '' }
  expect(read(etc).etcChanges).toEqual({
    changes: [change('motd [2J')],
    more: 2,
    takenAtMs: 7,
    problem: '',
  })
  expect(read({ problem: 'no\ndeployment' }).etcChanges?.problem).toBe('no deployment')
  expect(() => read({ takenAtMs: -1n })).toThrow('etcChanges.takenAtMs cannot be taken')
})

it('nothing is made up for an agent that does not say', () => {
  expect(read()).not.toHaveProperty('etcChanges')
})

it('what a stored value has no room for is counted', () => {
  const many = read({ changes: Array.from({ length: 300 }, (_, index) => change(`a${index}`)), more: 5 })
  expect(many.etcChanges?.changes).toHaveLength(128)
  expect(many.etcChanges?.more).toBe(177)
  const wide = read({ changes: Array.from({ length: 100 }, () => change('語'.repeat(999))) })
  expect(Buffer.byteLength(JSON.stringify(wide.etcChanges?.changes))).toBeLessThan(10 * 1024 + 100)
  expect((wide.etcChanges?.changes.length ?? 0) + (wide.etcChanges?.more ?? 0)).toBe(100)
  expect(read({ changes: [change('a')], more: 2 ** 32 - 1 }).etcChanges?.more).toBe(2 ** 32 - 1)
})

it('a count that nobody could send on stays within what can be sent, also where names had to go', () => {
  const text = '語'.repeat(340)
  const failure = { code: 'X', message: '', evidence: Array.from({ length: 32 }, () => text) }
  const report = reportFromWire(
    create(ReportSchema, {
      phase: Phase.IDLE,
      failure,
      etcConflicts: Array.from({ length: 64 }, () => text),
      deniedDigests: Array.from({ length: 256 }, (_, index) => `sha256:${`${index}`.padStart(64, '0')}`),
      kernelLine: { arguments: Array.from({ length: 64 }, () => ({ argument: text, source: 'host' })) },
      etcChanges: { changes: [change('motd')], more: 2 ** 32 - 1 },
    }),
  )
  expect(report.etcChanges).toMatchObject({ changes: [], more: 2 ** 32 - 1 })
})

it('is shown of the one host that was asked for, and makes no list of all hosts larger', () => {
  const world = rolledOut('1.0.0')
  const etcChanges = { changes: [change('motd')], more: 1, takenAtMs: 7, problem: '' }
  enrolReporting(world, 'till-1', { etcChanges })
  enrolReporting(world, 'till-2', {})
  const snapshot = { ...snapshotOfFleets([]), state: world.state, nowMs: world.wallMs }
  const asked = (host: string) => hostsAsked(snapshot, create(ListHostsRequestSchema, { host }))
  expect(asked('till-1')).toMatchObject([
    { name: 'till-1', etcChanges: { changes: [change('motd')], more: 1, takenAtMs: 7n, problem: '' } },
  ])
  expect(asked('till-2')[0]).not.toHaveProperty('etcChanges')
  expect(asked('nobody')).toEqual([])
  expect(asked('').map(({ name }) => name)).toEqual(['h0', 'till-1', 'till-2'])
  expect(asked('').every(({ etcChanges: etc }) => etc === undefined)).toBe(true)
})

it('that nothing leads a host back is shown of it, whether git allows that or not', () => {
  const world = rolledOut('1.0.0')
  enrolReporting(world, 'till-1', { unguarded: true })
  const snapshot = { ...snapshotOfFleets([]), state: world.state, nowMs: world.wallMs }
  const hosts = hostsAsked(snapshot, create(ListHostsRequestSchema))
  expect(hosts.map(({ name, unguarded }) => [name, unguarded])).toEqual([
    ['h0', false],
    ['till-1', true],
  ])
})

it('survives being stored, and reports of before are still read', () => {
  const stored = (report: object) =>
    Host.parse(JSON.parse(JSON.stringify({ hostId: 'h', receivedAtMs: 1, report }))).report.etcChanges
  const report = read({ changes: [change('motd')], more: 1, takenAtMs: 7n })
  expect(stored(report)).toEqual(report.etcChanges)
  expect(stored(read())).toBeUndefined()
})
