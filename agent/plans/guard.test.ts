import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { sealPermit } from '../../proto/permit.ts'
import type { Permit } from '../../proto/permit.ts'
import { digestOf, planFor } from '../testing/plans.ts'
import { guardOf } from './guard.ts'

const approver = generateKeyPairSync('ed25519')
const role = { keys: [approver.publicKey], threshold: 1 }
const hostId = 'a'.repeat(26)
const permit: Permit = {
  version: 1,
  action: 'downgrade',
  fleet: 'edge',
  repository: 'r.example/os',
  lowestVersion: '1.0',
  issuedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-08T00:00:00.000Z',
  reason: 'a test',
}
const seal = (changes: Partial<Permit> = {}): string =>
  sealPermit({ ...permit, ...changes } as Permit, [approver.privateKey])
const guardWith = (...permits: readonly string[]) =>
  guardOf(planFor(hostId, '1', { permits: [...permits] }), role)

it('permits of the approvers count, by version or by digest', () => {
  const untilMs = Date.parse(permit.expiresAt)
  const repository = 'r.example/os'
  const byDigest = seal({ lowestVersion: undefined, digest: digestOf('1'), hosts: [hostId] })
  expect(guardWith(seal(), byDigest)).toEqual({
    permits: [
      { repository, untilMs, image: { kind: 'LowestVersion', version: '1.0' } },
      { repository, untilMs, image: { kind: 'Digest', digest: digestOf('1') } },
    ],
    refused: [],
  })
})

it('a permit for another host or fleet, or that no approver signed, does not count, and it is said why', () => {
  const stranger = generateKeyPairSync('ed25519').privateKey
  expect(guardWith(seal({ hosts: ['b'.repeat(26)] }), seal({ fleet: 'lab' }))).toEqual({
    permits: [],
    refused: [
      'the permit for r.example/os is for other hosts',
      'the permit for r.example/os is for fleet lab',
    ],
  })
  expect(guardWith(sealPermit(permit, [stranger]), 'x')?.refused).toEqual([
    'the permit for r.example/os in fleet edge is signed by 0 approver keys, and 1 must sign',
    'a permit is unreadable: it is no DSSE envelope',
  ])
})

it('where the trust bundle names no approver there is nothing to guard', () => {
  expect(guardOf(planFor(hostId, '1', { permits: [seal()] }), null)).toBeNull()
  expect(guardOf(planFor(hostId, '1'), role)).toEqual({ permits: [], refused: [] })
})
