import { status } from '@grpc/grpc-js'
import { expect, it } from 'vitest'
import { openHostLimits } from './host-limits.ts'

const tooMany = expect.objectContaining({ code: status.RESOURCE_EXHAUSTED }) as Error

it('a host that opens streams without end is told to wait, others are not, and later it may again', () => {
  let nowMs = 0
  const { admitStream } = openHostLimits(() => nowMs)
  for (let opened = 0; opened < 60; opened += 1) admitStream('a')
  expect(() => admitStream('a')).toThrow(tooMany)
  expect(() => admitStream('b')).not.toThrow()
  nowMs += 1_000
  expect(() => admitStream('a')).not.toThrow()
})

it('a host renews one certificate at a time, and not without end', async () => {
  const { renewing } = openHostLimits(() => 0)
  let finish = (): void => undefined
  const first = renewing('a', () => new Promise<void>((resolve) => (finish = resolve)))
  await expect(renewing('a', () => Promise.resolve())).rejects.toEqual(tooMany)
  await expect(renewing('b', () => Promise.resolve('done'))).resolves.toBe('done')
  finish()
  await first
  for (let renewed = 0; renewed < 8; renewed += 1) await renewing('a', () => Promise.resolve())
  await expect(renewing('a', () => Promise.resolve())).rejects.toEqual(tooMany)
})
