import { expect, it } from 'vitest'
import { openLoginLimits } from './login-limits.ts'

const tooMany = 'too many log in at once'

it('lets one address begin twenty logins at once and then one in two seconds, and others meanwhile', () => {
  let nowMs = 0
  const limits = openLoginLimits(() => nowMs)
  for (let count = 0; count < 20; count += 1) limits.admitChallenge('192.0.2.1:4711')
  expect(() => limits.admitChallenge('192.0.2.1:4711')).toThrow(tooMany)
  limits.admitChallenge('192.0.2.2:4711')
  nowMs += 2_000
  limits.admitChallenge('192.0.2.1:4711')
  expect(() => limits.admitChallenge('192.0.2.1:4711')).toThrow(tooMany)
})

it('bounds all callers together, however many addresses they have', () => {
  const limits = openLoginLimits(() => 0)
  const admitted = Array.from({ length: 10_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}:4711`).filter(
    (from) => {
      try {
        limits.admitChallenge(from)
        return true
      } catch {
        return false
      }
    },
  )
  expect(admitted).toHaveLength(100)
})

it('verifies four at a time', async () => {
  const limits = openLoginLimits()
  const waiting: (() => void)[] = []
  const four = Array.from({ length: 4 }, () =>
    limits.verifying(() => new Promise<void>((resolve) => waiting.push(resolve))),
  )
  await expect(limits.verifying(() => Promise.resolve())).rejects.toThrow(tooMany)
  for (const end of waiting) end()
  await Promise.all(four)
  await expect(limits.verifying(() => Promise.resolve('verified'))).resolves.toBe('verified')
})
