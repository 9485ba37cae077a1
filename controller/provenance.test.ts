import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AcceptedSources } from './accepted-sources.ts'
import type { Commit } from './merge-sources.ts'
import { NO_PROVENANCE, provenanceAfter, signerOf } from './provenance.ts'
import { UntrustedCommit } from './sources/untrusted-commit.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-provenance-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const signer = { principal: 'kim@example', fingerprint: 'SHA256:x' }
const commit = (letter: string, isVerified = true): Commit => ({
  commit: letter.repeat(40),
  subject: letter,
  files: [],
  ...(isVerified ? { verified: { signer, startCommit: '' } } : {}),
})

async function open(term: number): Promise<AcceptedSources> {
  const logger = pino({ level: 'silent' })
  const names = ['git']
  const accepted = new AcceptedSources({
    names,
    stateDir: dir,
    term,
    logger,
    refuse: async () => null,
    onAccepted: () => undefined,
  })
  await accepted.recover()
  return accepted
}

test('what was verified binds what comes, also after another controller led in between', async () => {
  const first = await open(1)
  expect(first.anchorOf('git')).toBeNull()
  await first.take('git', commit('a'))
  expect(first.anchorOf('git')?.commit).toBe('a'.repeat(40))
  const later = await open(7)
  expect(later.commitsOf('git').acceptedCommit).toBe('')
  expect(later.anchorOf('git')).toEqual({ commit: 'a'.repeat(40), verified: { signer, startCommit: '' } })
  expect(later.signerOf('a'.repeat(40))).toBe('kim@example (SHA256:x)')
})

test('a commit that is taken without being verified leaves the anchor where it was', async () => {
  const sources = await open(1)
  await sources.take('git', commit('a'))
  await sources.take('git', commit('b', false))
  expect(sources.commitsOf('git')).toMatchObject({ acceptedCommit: 'b'.repeat(40), acceptedSigner: '' })
  expect(sources.anchorOf('git')?.commit).toBe('a'.repeat(40))
})

test('a commit that is not trusted is shown until the head is another one, and nothing else changes', async () => {
  const sources = await open(1)
  await sources.take('git', commit('a'))
  const bad = 'b'.repeat(40)
  sources.distrust('git', new UntrustedCommit(bad, 'it is not signed'))
  expect(sources.commitsOf('git')).toMatchObject({
    headCommit: bad,
    acceptedCommit: 'a'.repeat(40),
    acceptedSigner: 'kim@example (SHA256:x)',
    rejection: { commit: bad, issues: ['it is not signed'] },
  })
  expect(sources.anchorOf('git')?.commit).toBe('a'.repeat(40))
  await sources.take('git', commit('a'))
  expect(sources.commitsOf('git')).toMatchObject({ headCommit: 'a'.repeat(40), rejection: null })
})

test('the signers of the newest 256 commits are remembered', () => {
  let provenance = NO_PROVENANCE
  for (let count = 0; count < 300; count += 1) {
    const next = { ...commit('a'), commit: `${count}` }
    provenance = provenanceAfter(provenance, new Map([['git', next]]))
  }
  expect(provenance.signers).toHaveLength(256)
  expect(signerOf(provenance, '299')).toBe('kim@example (SHA256:x)')
  expect(signerOf(provenance, '0')).toBe('')
})
