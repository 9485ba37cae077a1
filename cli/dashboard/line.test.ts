import fc from 'fast-check'
import stringWidth from 'string-width'
import { expect, it } from 'vitest'
import { cleanText } from '../../proto/picture/clean-text.ts'
import { fitText, tailText, withoutLast, wrapText } from './line.ts'

it('leaves nothing that a terminal would obey, and nothing that turns or stacks letters', () => {
  expect(cleanText('\u001b[31mred\u009b2J\u0007\r\n\t\u202eabc\u200b')).toBe('�[31mred�2J�   �abc�')
  expect(cleanText(`a${'\u0301'.repeat(50)}`)).toBe(`a${'\u0301'.repeat(4)}`)
  expect(cleanText('x'.repeat(5_000)).length).toBe(2_001)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(cleanText(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
    }),
  )
})

it('never makes text wider than it may be', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (raw, width) => {
      const text = cleanText(raw)
      expect(stringWidth(fitText(text, width))).toBeLessThanOrEqual(width)
      for (const part of wrapText(text, width + 2, 3))
        expect(stringWidth(part)).toBeLessThanOrEqual(width + 2)
      expect(stringWidth(tailText(text, width + 1))).toBeLessThanOrEqual(width + 1)
    }),
  )
})

it('cuts at spaces, counts wide letters as two, and takes a letter away whole', () => {
  expect(wrapText('a host fell back twice', 12, 3)).toEqual(['a host fell', 'back twice'])
  expect(wrapText('a host fell back twice', 8, 2)).toEqual(['a host', 'fell ba…'])
  const threeWide = '\u{1d158}\u{1d165}\u{1d16e}'
  expect(wrapText(`${threeWide} ab`, 2, 3)).toEqual(['…'])
  expect([fitText('収銀収銀', 5), tailText('abcdef', 4), withoutLast('ae\u0301'), withoutLast('')]).toEqual([
    '収銀…',
    '…def',
    'a',
    '',
  ])
})
