import { expect, it } from 'vitest'
import { normalStatus } from '../../test/support/dashboard.ts'
import { readingOf } from '../../test/support/web-page.ts'
import { WebRefusal } from './backend.ts'
import { openStreams } from './streams.ts'
import { tell } from './told.ts'

const reading = readingOf(normalStatus(), { kind: 'wall' })
const pace = { leastMs: 1, mostMs: 600_000, ageMs: 600_000 }
const nobody = (): (() => void) => () => undefined
const { signal } = new AbortController()
const eventOf = ({ value }: IteratorResult<string>): string => /event: (\w+)/.exec(String(value))?.[1] ?? ''

it('one message is told at once, and then one for all changes since', async () => {
  let ring = (): void => undefined
  let made = 0
  const read = () => ((made += 1), reading)
  const listen = (listener: () => void) => ((ring = listener), () => undefined)
  const told = tell({ read, listen, signal, pace })
  expect(eventOf(await told.next())).toBe('reading')
  for (let change = 0; change < 100; change += 1) ring()
  expect(eventOf(await told.next())).toBe('reading')
  expect(made).toBe(2)
  const third = told.next()
  ring()
  expect(eventOf(await third)).toBe('reading')
})

it('without a change there is a message after the longest pause', async () => {
  const told = tell({ read: () => reading, listen: nobody, signal, pace: { ...pace, mostMs: 5 } })
  await told.next()
  expect(eventOf(await told.next())).toBe('reading')
})

it('whoever may not see it any more is told so in the last message', async () => {
  let isAllowed = true
  const read = () => {
    if (isAllowed) return reading
    throw new WebRefusal(403, 'operator kim has it for none')
  }
  const told = tell({ read, listen: nobody, signal, pace: { ...pace, mostMs: 5 } })
  await told.next()
  isAllowed = false
  expect((await told.next()).value).toBe('event: refused\ndata: operator kim has it for none\n\n')
  expect((await told.next()).done).toBe(true)
})

it('with too many watches open it is refused, and an old connection is asked to come again', async () => {
  const full = tell({ read: () => reading, listen: () => null, signal, pace })
  expect((await full.next()).value).toContain('too many watches')
  const old = tell({ read: () => reading, listen: nobody, signal, pace: { ...pace, ageMs: 0 } })
  expect(eventOf(await old.next())).toBe('again')
})

it('nothing is made before somebody takes it, and what was taken for a stream is given back once', async () => {
  const streams = openStreams()
  let made = 0
  let stopped = 0
  const listen = () => () => void (stopped += 1)
  const read = () => ((made += 1), reading)
  const stream = streams.open('kim', (given) => tell({ read, listen, signal: given, pace }))
  const reader = stream.body.getReader()
  expect(made).toBe(0)
  await reader.read()
  expect(made).toBe(1)
  await reader.cancel()
  await expect.poll(() => stopped).toBe(1)
  stream.close()
})

it('an operator has eight streams and all together sixteen; a closed one makes room', () => {
  const streams = openStreams()
  const open = (operator: string) =>
    streams.open(operator, (given) => tell({ read: () => reading, listen: nobody, signal: given }))
  const [first] = Array.from({ length: 8 }, () => open('kim'))
  expect(() => open('kim')).toThrow('operator kim has 8 pages open')
  Array.from({ length: 8 }, (_, index) => open(`other-${index}`))
  expect(() => open('late')).toThrow('too many pages are open')
  first?.close()
  first?.close()
  open('late')
  expect(() => open('later')).toThrow('too many pages are open')
})
