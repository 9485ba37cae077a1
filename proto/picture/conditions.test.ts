import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { HostStatusSchema } from '../gen/bootfleet/v1/operator_pb.ts'
import { conditionsNamed } from './conditions.ts'
import { hostWords } from './sentences.ts'

const wordsOf = (host: Parameters<typeof create<typeof HostStatusSchema>>[1]): string =>
  hostWords(create(HostStatusSchema, host))

it('says in words what holds of a host, and not again what its message is about', () => {
  const conditions = ['Unreachable', 'Drifted']
  expect(wordsOf({ conditions, reason: 'Progressing', message: 'succeeded 1.0.0@sha256:aa…' })).toBe(
    'is not connected; no longer runs what it was given; succeeded 1.0.0@sha256:aa…',
  )
  const message = 'not connected; it gets its turn when it reports'
  expect(wordsOf({ conditions: ['Unreachable'], reason: 'Unreachable', message })).toBe(message)
})

it('says how much is pulled before what a host is about', () => {
  expect(wordsOf({ doneBytes: 1_000n, totalBytes: 2_000n, message: 'downloading' })).toBe(
    '1.0 kB of 2.0 kB; downloading',
  )
})

it('tells a condition of a newer controller by its name', () => {
  expect(wordsOf({ conditions: ['Basking'], message: 'succeeded' })).toBe('Basking; succeeded')
  expect(conditionsNamed({ conditions: ['Held', 'Basking'] })).toBe('Held (is held in git); Basking')
})
