import { expect, it } from 'vitest'
import { printListed } from './get-output.ts'
import type { Listed } from './get-output.ts'
import type { Terminal } from '../terminal.ts'

it('a list for a terminal of 60 columns is not wider, and one for a pipe is one line each', () => {
  const message = 'waits for window sat-night: opens Sat 22:00 Europe/Berlin, in 3d 4h'
  const listed: Listed = {
    names: ['till-17'],
    rows: [
      ['HOST', 'FLEET', 'SEEN', 'MESSAGE'],
      ['till-17', 'edge', 'connected', message],
    ],
    dataOf: () => ({}),
  }
  const format = { kind: 'host', output: 'table', headers: true, isOne: false, empty: '' } as const
  const printed = (interactive: boolean): string => {
    let out = ''
    const terminal = { interactive, columns: () => 60, out: (text: string) => void (out += text) }
    printListed({ ...terminal, note: () => undefined } as unknown as Terminal, listed, format)
    return out
  }
  expect(
    Math.max(
      ...printed(true)
        .split('\n')
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(60)
  expect(printed(false).split('\n')[1]).toBe(`till-17  edge   connected  ${message}`)
})
