import { expect, it } from 'vitest'
import { freeSlot, openJoinBook } from './join-book.ts'
import type { TokenRecord } from './token-record.ts'

const tokenAt = (slot: number, changes: Partial<TokenRecord> = {}): TokenRecord => ({
  slot,
  id: 'a'.repeat(10),
  secretSha256: '',
  labels: {},
  createdBy: 'kim',
  createdAtMs: slot,
  expiresAtMs: 1_000,
  uses: 1,
  autoApprovals: 0,
  seal: '',
  requests: [],
  ...changes,
})

it('a new token takes a free place, then that of the oldest one that is over, and never one in use', () => {
  const all = Array.from({ length: 256 }, (_, slot) => tokenAt(slot))
  expect(freeSlot(all.slice(1), 0)).toBe(0)
  expect(freeSlot(all, 999)).toBeNull()
  expect(freeSlot(all, 1_000)).toBe(0)
  const request = {
    hostId: 'a'.repeat(26),
    name: 'till-1',
    natsUserPublicKey: '',
    requestedAtMs: 900,
    from: '',
    isAuto: false,
    remark: '',
    decision: null,
  }
  expect(freeSlot([tokenAt(0, { requests: [request] }), ...all.slice(1)], 1_000)).toBe(1)
})

it('what another term or a failed write may have changed is read anew', async () => {
  let term = 1
  let loads = 0
  let fails = false
  const book = openJoinBook({
    load: () => Promise.resolve([tokenAt((loads += 1))]),
    put: () => (fails ? Promise.reject(new Error('conflict')) : Promise.resolve()),
    isSealed: () => true,
    term: () => term,
  })
  await book.tokens()
  await book.tokens()
  expect(loads).toBe(1)
  term = 2
  await book.tokens()
  expect(loads).toBe(2)
  fails = true
  await expect(book.keep(tokenAt(9))).rejects.toThrow('conflict')
  expect((await book.tokens()).map(({ slot }) => slot)).toEqual([3])
})
