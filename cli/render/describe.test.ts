import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { HostStatusSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { describeHost } from './describe.ts'
import { plain } from './style.ts'

const booted = `sha256:${'a'.repeat(64)}`
const next = `sha256:${'b'.repeat(64)}`
const linesOf = (host: Parameters<typeof create<typeof HostStatusSchema>>[1]): readonly string[] =>
  describeHost(create(HostStatusSchema, host), { style: plain, headers: true, columns: null, etc: 'counted' })
    .split('\n')
    .map((line) => line.replace(/ {2,}/, ' '))

it('says what boots next, which files of /etc conflict and what was seen of failed boots', () => {
  const lines = linesOf({
    name: 'till-17',
    bootedDigest: booted,
    defaultDigest: next,
    etcConflicts: ['/etc/ssh/sshd_config', '/etc/motd'],
    kernelLine: [{ argument: 'mitigations=off', source: 'host' }],
    evidence: ['entry bootfleet-9c41d0aa7b12-4 used its 3 tries', 'Kernel panic - not syncing'],
    refusedPlan: 'ImageUnsigned: there is none',
  })
  expect(lines).toContain('Refused plan: ImageUnsigned: there is none')
  expect(lines).toContain(`Boots next: ${next}`)
  expect(lines).toContain('/etc conflict: /etc/ssh/sshd_config')
  expect(lines).toContain('Kernel argument: mitigations=off (host)')
  expect(lines).toContain('/etc conflict: /etc/motd')
  expect(lines).toContain('Evidence: entry bootfleet-9c41d0aa7b12-4 used its 3 tries')
  expect(lines).toContain('Evidence: Kernel panic - not syncing')
})

it('does not say what boots next where that is what runs, or is not known', () => {
  for (const defaultDigest of [booted, '']) {
    expect(linesOf({ name: 'till-17', bootedDigest: booted, defaultDigest }).join('\n')).not.toContain('next')
  }
})

it('says its phase and its conditions in words too, and those of a newer controller as they are', () => {
  const lines = linesOf({ phase: 'AwaitingSlot', conditions: ['Drifted', 'NoFleet', 'Basking'] })
  expect(lines).toContain('Phase: ◌ AwaitingSlot (has the image, and waits for its turn to reboot)')
  expect(lines).toContain(
    'Conditions: Drifted (no longer runs what it was given); NoFleet (is selected by no fleet); Basking',
  )
  expect(linesOf({})).toContain('Phase: · Pending (has not got its turn yet)')
  expect(linesOf({})).toContain('Conditions: -')
})

it('of a host that only reports it says what that runs, and that nobody updates it', () => {
  const reportOnly = {
    osName: 'Fedora Linux 42 (IoT)',
    imageReference: 'quay.io/os:42',
    imageLabels: { team: 'edge', a: 'b' },
  }
  const lines = linesOf({ phase: 'ReportOnly', conditions: ['ReportOnly'], bootedDigest: booted, reportOnly })
  expect(lines).toContain('Phase: · ReportOnly')
  expect(lines).toContain('Booted: aaaaaaaaaaaa')
  expect(lines).toContain('System: Fedora Linux 42 (IoT)')
  expect(lines).toContain('Image: quay.io/os:42')
  expect(lines).toContain('Image labels: a=b, team=edge')
  expect(lines).toContain('Conditions: ReportOnly (only reports what it runs, and is never updated)')
})

it('one without an image is told by its operating system', () => {
  const bootedBy = (reportOnly: object) => linesOf({ reportOnly }).find((line) => line.startsWith('Booted:'))
  expect(bootedBy({ osId: 'debian', osVersion: '12' })).toBe('Booted: debian 12')
  expect(bootedBy({ osName: 'Debian 12', imageReference: 'quay.io/os:42' })).toBe('Booted: quay.io/os:42')
  expect(bootedBy({})).toBe('Booted: -')
})

it('says of a host that nothing would lead it back by itself', () => {
  expect(linesOf({ unguarded: true })).toContain('Fallback: none by itself: its boot loader counts no tries')
  expect(linesOf({}).join('\n')).not.toContain('Fallback')
})
