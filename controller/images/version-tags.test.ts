import { expect, it } from 'vitest'
import { versionsInRange } from './version-tags.ts'

const tags = [
  '42.0.9',
  'latest',
  '42.1.3',
  'v42.1.10',
  '42',
  '42.1',
  '43.0.0',
  '42.2.0-rc.1',
  'sha256-ab.sig',
]

function inRange(range: string, among: readonly string[] = tags): readonly string[] {
  return versionsInRange(among, range).map(({ tag }) => tag)
}

it('lists whole versions newest first, and no floating tags', () => {
  expect(inRange('42.x')).toEqual(['v42.1.10', '42.1.3', '42.0.9'])
  expect(inRange('>=42 <44')).toEqual(['43.0.0', 'v42.1.10', '42.1.3', '42.0.9'])
})

it('takes a prerelease only where the range names one of the same version', () => {
  expect(inRange('>=42.0.0')).not.toContain('42.2.0-rc.1')
  expect(inRange('>=42.2.0-rc.0 <43')).toEqual(['42.2.0-rc.1'])
  expect(inRange('>=42.2.0-rc.0', ['42.2.1-rc.1', '42.2.0-rc.1'])).toEqual(['42.2.0-rc.1'])
})

it('decides between two tags of one version alike in any order', () => {
  const pair = ['v1.2.3', '1.2.3']
  expect(inRange('1.x', pair)).toEqual(['1.2.3', 'v1.2.3'])
  expect(inRange('1.x', pair.toReversed())).toEqual(['1.2.3', 'v1.2.3'])
})

it('orders by number, not by letter', () => {
  expect(inRange('*', ['1.9.0', '1.10.0', '1.2.0'])).toEqual(['1.10.0', '1.9.0', '1.2.0'])
})

it.each(['not a range', '42.x &&', '>>1'])('refuses %j as a range', (range) => {
  expect(() => versionsInRange([], range)).toThrow(expect.objectContaining({ code: 'ImageInvalid' }))
})
