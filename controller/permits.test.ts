import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { sealPermit } from '../proto/permit.ts'
import type { Permit } from '../proto/permit.ts'
import { permitsOf, refusePermits } from './permits.ts'
import { isDesiredStateFile } from './sources/file-limits.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const DAY_MS = 24 * 60 * 60 * 1000
const nowMs = Date.parse('2026-01-02T00:00:00.000Z')
const seal = (changes: Partial<Permit> = {}, days = 1): string =>
  sealPermit(
    {
      version: 1,
      action: 'downgrade',
      fleet: 'edge',
      repository: 'r.example/os',
      lowestVersion: '1.0',
      issuedAt: '2026-01-01T00:00:00.000Z',
      expiresAt: new Date(nowMs + days * DAY_MS).toISOString(),
      reason: 'a test',
      ...changes,
    },
    [privateKey],
  )
const inGit = (...texts: readonly string[]) => ({
  permits: texts.map((text, at) => ({ path: `.bootfleet/permits/${at}.json`, text: `${text}\n` })),
})

it('a fleet gets its own permits that have not expired, the last to expire first', () => {
  const hosts = ['a'.repeat(26)]
  const [soon, late] = [seal({ hosts }), seal({}, 3)]
  const state = inGit(soon, seal({ fleet: 'lab' }), seal({}, 0), 'x', late)
  const repository = 'r.example/os'
  const image = { kind: 'LowestVersion', version: '1.0' }
  expect(permitsOf(state, 'edge', nowMs)).toEqual([
    { repository, hosts: null, image, envelope: late },
    { repository, hosts, image, envelope: soon },
  ])
  const digest = `sha256:${'d'.repeat(64)}`
  expect(permitsOf(inGit(seal({ lowestVersion: undefined, digest })), 'edge', nowMs)).toMatchObject([
    { image: { kind: 'Digest', digest } },
  ])
  expect(permitsOf({}, 'edge', nowMs)).toEqual([])
})

it('a commit with a permit that nobody can read does not come into force', () => {
  expect(refusePermits(inGit(seal(), seal({}, -0.5)), nowMs)).toBeNull()
  expect(refusePermits({}, nowMs)).toBeNull()
  expect(refusePermits(inGit(seal(), '{"payloadType":"x","payload":"","signatures":[]}'), nowMs)).toBe(
    '.bootfleet/permits/1.json: it is no DSSE envelope; make it anew with bootfleet trust permit downgrade, or remove it',
  )
})

it('nor does one with more permits for a fleet than a rollout keeps; expired ones do not count', () => {
  const four = Array.from({ length: 4 }, () => seal())
  expect(refusePermits(inGit(...four, seal({ fleet: 'lab' }), seal({}, 0)), nowMs)).toBeNull()
  expect(refusePermits(inGit(...four, seal()), nowMs)).toBe(
    '.bootfleet/permits/4.json: fleet edge has more than 4 permits that have not expired; remove those that are of no use any more',
  )
})

it('permits are read from their folder only', () => {
  expect(
    [
      'camera.json',
      '.bootfleet/permits/camera.json',
      '.bootfleet/permits/old/camera.json',
      '.bootfleet/camera.json',
    ].map(isDesiredStateFile),
  ).toEqual([false, true, false, false])
})
