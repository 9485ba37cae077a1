import { pino } from 'pino'
import { expect, test } from 'vitest'
import { lookUntilStopped } from './looking.ts'
import type { LookedEvent } from './mailbox.ts'
import { rootOf } from './testing/machine-model.ts'

const seen = (next: string, moveId?: string) => ({
  bootId: 'b',
  current: rootOf('1', 1),
  default: rootOf(next, 1),
  deployments: [],
  ...(moveId !== undefined && {
    moved: { id: moveId, user: 'kim', command: 'rollback', atMs: 0, digest: null },
  }),
})

test('what boots next is told when it or who chose it is another, and only then', async () => {
  const stop = new AbortController()
  const looks = [seen('1'), seen('0', 'm1'), seen('0', 'm1'), null, seen('0', 'm2'), seen('1')]
  const told: LookedEvent[] = []
  await lookUntilStopped(
    {
      driver: {
        inspect: () => {
          const look = looks.shift()
          if (looks.length === 0) stop.abort()
          return look == null ? Promise.reject(new Error('busy')) : Promise.resolve(look)
        },
      },
      mailbox: { putLook: (event) => void told.push(event) },
      lookEveryMs: 1,
      log: pino({ level: 'silent' }),
    },
    seen('1'),
    stop.signal,
  )
  expect(told.map(({ facts }) => facts.moved?.id)).toEqual(['m1', 'm2'])
})
