import { expect, it } from 'vitest'
import { openNonces } from './nonces.ts'

it('takes a nonce once, within a minute, and only one that it gave', () => {
  let nowMs = 1_000
  const nonces = openNonces(() => nowMs)
  const [first, second] = [nonces.give(), nonces.give()]
  expect([nonces.take(first), nonces.take(first), nonces.take(second)]).toEqual([true, false, true])
  const [inTime, late] = [nonces.give(), nonces.give()]
  nowMs += 59_999
  expect(nonces.take(inTime)).toBe(true)
  nowMs += 1
  expect([nonces.take(inTime), nonces.take(late), nonces.take(first)]).toEqual([false, false, false])
  expect(openNonces(() => nowMs).take(nonces.give())).toBe(false)
})

it('takes none that was changed or is spelled otherwise', () => {
  const nonces = openNonces(() => 0)
  const nonce = nonces.give()
  const changed = Buffer.from(nonce, 'base64url')
  for (let at = 0; at < changed.length; at += 1) {
    changed[at] = (changed[at] ?? 0) ^ 1
    expect(nonces.take(changed.toString('base64url'))).toBe(false)
    changed[at] = (changed[at] ?? 0) ^ 1
  }
  for (const other of [`${nonce}=`, `${nonce} `, ` ${nonce}`, nonce.slice(0, -1), '', 'x'.repeat(100)]) {
    expect(nonces.take(other)).toBe(false)
  }
  expect(nonces.take(nonce)).toBe(true)
})
