import { expect, test } from 'vitest'
import { addressOf } from './caller-rates.ts'
import { openJoinLimits, openReturnLimits } from './join-limits.ts'

const callsOf = (admit: (peer: string) => void, peer: string, count: number): number => {
  let admitted = 0
  for (let call = 0; call < count; call += 1) {
    try {
      admit(peer)
      admitted += 1
    } catch {
      // Counted by what is missing.
    }
  }
  return admitted
}

test('one address has its share, whatever port it calls from, and what it has not got is no use of others’', () => {
  let nowMs = 0
  const { admit } = openJoinLimits(() => nowMs)
  expect(callsOf((peer) => admit(peer), '192.0.2.1:4711', 500)).toBe(60)
  expect(callsOf((peer) => admit(peer), '192.0.2.1:4712', 10)).toBe(0)
  expect(callsOf((peer) => admit(peer), '[2001:db8::1]:4711', 30)).toBe(30)
  nowMs = 1_000
  expect(callsOf((peer) => admit(peer), '192.0.2.1:4711', 500)).toBe(10)
})

test('all addresses together have theirs, and none is kept for ever', () => {
  const { admit } = openJoinLimits(() => 0)
  const admitted = Array.from({ length: 5_000 }, (_, number) =>
    callsOf((peer) => admit(peer), `10.0.${number >> 8}.${number & 255}:1`, 1),
  )
  expect(admitted.filter((count) => count === 1)).toHaveLength(200)
})

test('an address is shown without its port and without what is none', () => {
  expect(addressOf('192.0.2.1:4711')).toBe('192.0.2.1')
  expect(addressOf('[2001:db8::1]:4711')).toBe('2001:db8::1')
  expect(addressOf('unix:/run/x\u001b[31m')).not.toContain('\u001b')
})

test('who asks to come back too often is told so', () => {
  const { admit } = openReturnLimits(() => 0)
  expect(callsOf((peer) => admit(peer), '192.0.2.1:4711', 500)).toBe(60)
  expect(() => admit('192.0.2.1:4711')).toThrow('too many ask to come back')
})
