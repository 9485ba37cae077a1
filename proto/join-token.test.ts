import { randomBytes } from 'node:crypto'
import { describe, expect, it, test } from 'vitest'
import { fingerprintOf, formatJoinToken, parseJoinToken } from './join-token.ts'

const token = { id: 'abcdefgh27', secret: randomBytes(32), authoritySha256: randomBytes(32) }
const text = formatJoinToken(token)

describe('a token', () => {
  it('is one line that reads back as it was made', () => {
    expect(text).toMatch(/^bft1\.abcdefgh27\.[\w-]{43}\.[\w-]{43}$/)
    expect(parseJoinToken(text)).toEqual(token)
  })

  it.each([
    ['nothing', ''],
    ['another kind', text.replace('bft1', 'bft2')],
    ['an id that is a wildcard', text.replace('abcdefgh27', '*')],
    ['a secret that is cut off', text.replace(/\.[\w-]{43}\./, '.AAAA.')],
    ['no fingerprint of a CA', text.slice(0, text.lastIndexOf('.'))],
    ['more than belongs to it', `${text}.x`],
    ['another spelling of the same bytes', `${text}=`],
    ['a line end', `${text}\n`],
  ])('is none with %s', (_, wrong) => {
    expect(parseJoinToken(wrong)).toBeNull()
  })
})

test('a fingerprint is the first 80 bits of the id, in groups', () => {
  expect(fingerprintOf('6oxvuol3j4wip6qmryvkastsk6')).toBe('6oxv-uol3-j4wi-p6qm')
})
