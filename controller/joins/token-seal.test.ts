import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { openTokenSeal } from './token-seal.ts'

const { seal, isSealed } = openTokenSeal(generateKeyPairSync('ed25519').privateKey)
const terms = {
  id: 'abcdefgh27',
  secretSha256: '0'.repeat(64),
  labels: { site: 'eu', kind: 'till' },
  createdBy: 'kim',
  createdAtMs: 1,
  expiresAtMs: 2,
  uses: 1,
  autoApprovals: 0,
}
const token = { ...terms, slot: 0, seal: seal(terms), requests: [] }

it('a token that was put into the store by another hand, or given more than it had, is none', () => {
  expect(isSealed(token)).toBe(true)
  expect(isSealed({ ...token, labels: { kind: 'till', site: 'eu' } })).toBe(true)
  const changes = [
    { secretSha256: '1'.repeat(64) },
    { labels: { site: 'us', kind: 'till' } },
    { expiresAtMs: 3 },
    { uses: 50 },
    { autoApprovals: 1 },
    { seal: '' },
    { seal: openTokenSeal(generateKeyPairSync('ed25519').privateKey).seal(terms) },
  ]
  expect(changes.map((change) => isSealed({ ...token, ...change }))).toEqual(changes.map(() => false))
})
