import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sseMessage } from '../told.ts'
import { openSseReader } from './sse.ts'

it('what the server writes is read, in whatever pieces it comes', () => {
  const events = fc.array(fc.record({ event: fc.stringMatching(/^[a-z]{1,8}$/), data: fc.string() }))
  const cuts = fc.array(fc.nat(40))
  fc.assert(
    fc.property(events, cuts, (sent, sizes) => {
      let rest = sent.map(({ event, data }) => sseMessage(event, data)).join('')
      const read = openSseReader()
      const seen = []
      for (const size of sizes) {
        seen.push(...read(rest.slice(0, size)))
        rest = rest.slice(size)
      }
      seen.push(...read(rest))
      expect(seen).toEqual(
        sent.map(({ event, data }) => ({ event, data: data.replaceAll(/\r\n|\r/g, '\n') })),
      )
    }),
  )
})

it('comments and fields of no use are passed over, and an event without a name is a message', () => {
  const read = openSseReader()
  expect(read(': hello\nid: 1\nretry: 5\n\ndata:a\ndata: b\n\n')).toEqual([
    { event: 'message', data: 'a\nb' },
  ])
})

it.each([`data: ${'x'.repeat(6_000_000)}`, `data: ${'x'.repeat(1_000)}\n`.repeat(6_000)])(
  'an event without an end is given up',
  (text) => expect(() => openSseReader()(text)).toThrow('more than a page may hold'),
)
