import { expect, it } from 'vitest'
import { decodeKeys, decodeRest } from './keys.ts'

function kinds(sent: string): readonly string[] {
  return decodeKeys(sent).keys.map((key) => ('text' in key ? `${key.kind} ${key.text}` : key.kind))
}

it('reads keys as terminals send them', () => {
  expect(kinds('a\u001b[A\u001bOB\u001b[5~\u001b[1;5A\r\u007fé収')).toEqual([
    'text a',
    'up',
    'down',
    'pageUp',
    'up',
    'enter',
    'backspace',
    'text é',
    'text 収',
  ])
})

it('passes over what it does not know', () => {
  expect(
    kinds('\u001b[I\u001b[<0;1;1M\u001b[15~\u0001\u001b[99999999999999999999999999999999999999x'),
  ).toEqual([])
  expect(kinds('\u001b[é')).toEqual(['text é'])
})

it('waits for the rest of a sequence, and takes an Esc that stays alone for one', () => {
  expect(decodeKeys('\u001b')).toEqual({ keys: [], rest: '\u001b' })
  expect(decodeKeys('j\u001b[')).toEqual({ keys: [{ kind: 'text', text: 'j' }], rest: '\u001b[' })
  expect(kinds('\u001b[' + 'A')).toEqual(['up'])
  expect(decodeRest('\u001b')).toEqual([{ kind: 'escape' }])
  expect(kinds('\u001bq')).toEqual(['escape', 'text q'])
})

it('keeps a paste in one piece, and gives up one that does not end', () => {
  expect(decodeKeys('\u001b[200~p why\r').keys).toEqual([])
  expect(kinds('\u001b[200~p why\r\u001b[201~q')).toEqual(['pasted p why\r', 'text q'])
  expect(decodeRest('\u001b[200~p')).toEqual([])
  expect(decodeKeys(`\u001b[200~${'p'.repeat(20_000)}`)).toEqual({ keys: [], rest: '' })
})
