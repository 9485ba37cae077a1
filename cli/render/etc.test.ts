import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { HostStatusSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { etcFacts } from './etc.ts'
import type { EtcShown } from './etc.ts'

type Init = Parameters<typeof create<typeof HostStatusSchema>>[1]
const linesOf = (host: Init, shown: EtcShown = 'listed') =>
  etcFacts(create(HostStatusSchema, host), shown).map((fact) => fact.join(' '))

const takenAtMs = BigInt(Date.UTC(2026, 10, 22, 14, 2))
const taken = "looked at 2026-11-22T14:02:00Z by the host's clock"
const changes = [
  { path: 'hosts', kind: 'changed' },
  { path: 'motd', kind: 'removed' },
  { path: 'ssh/sshd_config.d/10-local.conf', kind: 'added' },
]

it('lists what a host changed in /etc by name, when it looked, and how many more there are', () => {
  expect(linesOf({ etcChanges: { changes, more: 12, takenAtMs } })).toEqual([
    `/etc: 15 files differ from the image that runs (${taken})`,
    '/etc changed: hosts',
    '/etc removed: motd',
    '/etc added: ssh/sshd_config.d/10-local.conf',
    '/etc: and 12 more, which the host did not name: `container-snap etc-diff` there lists all',
  ])
  expect(linesOf({ etcChanges: { changes: changes.slice(0, 1), takenAtMs } })).toEqual([
    `/etc: 1 file differs from the image that runs (${taken})`,
    '/etc changed: hosts',
  ])
})

it('says that nothing differs, which is not the same as that nobody knows', () => {
  expect(linesOf({ etcChanges: { takenAtMs } })).toEqual([`/etc: as the image has it (${taken})`])
  expect(linesOf({ etcChanges: {} })[0]).toContain('not known yet: its agent has not looked')
  expect(linesOf({})[0]).toContain('not known: the host has not reported it, and agents of before')
  expect(linesOf({ reportOnly: {} })).toEqual(['/etc: not known: the host only reports what it runs'])
  const problem = 'comparing /etc with its image: what runs is no deployment'
  expect(linesOf({ etcChanges: { problem, takenAtMs } })).toEqual([`/etc: not known: ${problem} (${taken})`])
})

it('without being asked says how many differ, and nothing where none does or nobody knows', () => {
  expect(linesOf({ etcChanges: { changes, more: 12, takenAtMs } }, 'counted')).toEqual([
    '/etc: 15 files differ from the image that runs; --etc lists them',
  ])
  for (const host of [{}, { etcChanges: {} }, { etcChanges: { takenAtMs } }, { reportOnly: {} }]) {
    expect(linesOf(host, 'counted')).toEqual([])
  }
})
