import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { HostStatusSchema } from '../gen/bootfleet/v1/operator_pb.ts'
import { runningWord } from './running.ts'
import { factsOf } from './sentences.ts'

const digest = `sha256:${'9c41d0aa7b12'.padEnd(64, '0')}`

it('a host is told by the image that it runs, and one that only reports by what it knows of itself', () => {
  const word = (host: Parameters<typeof create<typeof HostStatusSchema>>[1]): string =>
    runningWord(create(HostStatusSchema, host))
  const reportOnly = { osId: 'debian', osVersion: '12' }
  expect(word({ bootedDigest: digest, bootedVersion: '42' })).toBe('42@9c41d0aa7b12')
  expect(word({})).toBe('-')
  expect(word({ bootedDigest: digest, reportOnly })).toBe('9c41d0aa7b12')
  expect(word({ reportOnly })).toBe('debian 12')
  expect(word({ bootedVersion: '42', reportOnly })).toBe('42')
  expect(word({ bootedVersion: '42', reportOnly: { imageReference: 'quay.io/os:42' } })).toBe('quay.io/os:42')
  expect(word({ reportOnly: { ...reportOnly, osName: 'Debian GNU/Linux 12' } })).toBe('Debian GNU/Linux 12')
})

it('the facts of one that only reports have its system, its image and the labels of that', () => {
  const reportOnly = { osName: 'Fedora 42', imageReference: 'quay.io/os:42', imageLabels: { team: 'db' } }
  const host = create(HostStatusSchema, { hostId: 'x', conditions: ['ReportOnly'], reportOnly })
  expect(factsOf(host)).toEqual([
    ['booted', 'quay.io/os:42'],
    ['system', 'Fedora 42'],
    ['image', 'quay.io/os:42'],
    ['image labels', 'team=db'],
    ['connected', 'no'],
    ['conditions', 'ReportOnly (only reports what it runs, and is never updated)'],
    ['host id', 'x'],
  ])
})
