import { expect, it } from 'vitest'
import { isOthersFile } from './written.ts'

const line = (path: string): string =>
  `inode 257 file offset 0 len 5 disk start 0 offset 0 gen 9 flags INLINE ${path}`

it.each([
  ['lib/bootfleet/agent/state.json', false],
  ['lib/container-snap/ledger.json', false],
  ['lib/dpkg/status', true],
  ['lib/bootfleetish/x', true],
  ['home/kim/my flags NONE lib/bootfleet/x', true],
])('a change of %s is somebody else’s: %s', (path, expected) => {
  expect(isOthersFile(line(path))).toBe(expected)
})

it('the line that ends the list is no file', () => {
  expect(isOthersFile('transid marker was 12')).toBe(false)
})
