import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { HostStatusSchema } from '../gen/bootfleet/v1/operator_pb.ts'
import { worstFirst } from './host-order.ts'

it('hosts are listed worst first, and by name where they are equal', () => {
  const well = { phase: 'Succeeded', connected: true, health: 'Passed' }
  const hosts = [
    { ...well, name: 'fine-b' },
    { ...well, name: 'fine-a' },
    { name: 'waits', phase: 'Pending', connected: true },
    { name: 'pulls', phase: 'Downloading', connected: true },
    { ...well, name: 'away', connected: false },
    { ...well, name: 'drifted', conditions: ['Drifted'] },
    { ...well, name: 'refuses', refusedPlan: 'ImageUnsigned: nobody signed it' },
    { name: 'undecided', phase: 'Inconclusive', connected: true },
    { ...well, name: 'ill', health: 'Failed' },
    { name: 'fell-back', phase: 'RolledBack', connected: false },
  ].map((host) => create(HostStatusSchema, host))
  expect(worstFirst(hosts).map(({ name }) => name)).toEqual([
    'fell-back',
    'ill',
    'drifted',
    'refuses',
    'undecided',
    'away',
    'pulls',
    'waits',
    'fine-a',
    'fine-b',
  ])
})
