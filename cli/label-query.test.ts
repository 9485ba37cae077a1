import { expect, it } from 'vitest'
import { matchesSelector } from '../controller/desired-state/label-selector.ts'
import { parseLabelQuery } from './label-query.ts'

const till = { site: 'eu', role: 'till' }

it.each([
  ['site=eu', true],
  ['site==eu', true],
  ['site = eu', true],
  ['site!=eu', false],
  ['zone!=a', true],
  ['site in (us, eu),role', true],
  ['site in (us)', false],
  ['site notin (us,asia)', true],
  ['zone notin (a)', true],
  ['role', true],
  ['zone', false],
  ['!zone', true],
  ['!role', false],
  ['site=eu,role=till', true],
  ['site=eu,role=kiosk', false],
  ['example.com/rack=', false],
])('-l %s means what it means to kubectl', (text, isMatch) => {
  expect(matchesSelector(parseLabelQuery(text), till)).toBe(isMatch)
})

it.each(['', 'site=eu,', '=eu', 'site in eu', 'site in (eu', 'a b', 'site=e u', 'site=>eu'])(
  '-l %j is refused with how to write it',
  (text) => {
    expect(() => parseLabelQuery(text)).toThrow('write for example site=eu')
  },
)
