import { describe, expect, test } from 'vitest'
import { parseArguments } from './arguments.ts'

describe('arguments', () => {
  test('global options stand before or after the command', () => {
    for (const argv of [
      ['--sysroot', '/mnt', '--json', 'status'],
      ['status', '--json', '--sysroot=/mnt'],
    ]) {
      expect(parseArguments(argv)).toMatchObject({
        command: 'status',
        values: { sysroot: '/mnt', json: true },
      })
    }
  })

  test('the forms of tukit: an equals sign in delete, a flag before the id', () => {
    expect(parseArguments(['delete', '--id=abc-work1'])).toMatchObject({ values: { id: 'abc-work1' } })
    expect(parseArguments(['set-readonly-state', '--no-readonly', 'abc'])).toMatchObject({
      positionals: ['abc'],
      values: { 'no-readonly': true },
    })
  })

  test('-v counts any number of times, as it did', () => {
    expect(parseArguments(['-v', '-v', 'init'])).toMatchObject({ command: 'init', values: { verbose: true } })
  })

  test('help wins over everything', () => {
    expect(parseArguments(['--help'])).toEqual({ kind: 'help' })
    expect(parseArguments(['help'])).toEqual({ kind: 'help' })
  })

  test.each([
    [[], 'no command given'],
    [['nope'], "unknown command 'nope'"],
    [['switch'], 'switch needs 1 argument'],
    [['switch', 'a', 'b'], 'switch takes no more than 1 argument'],
    [['switch', '--cascade', 'a'], 'switch has no option --cascade'],
    [['pull', '--progress=bar', 'a'], 'only --progress=json is known'],
    [['pull', '--stall-timeout', '0', 'a'], 'not a number of seconds'],
    [['set-readonly-state', '--readonly', '--no-readonly', 'a'], 'contradict each other'],
    [['toString'], "unknown command 'toString'"],
  ])('%j is refused', (argv, reason) => {
    expect(() => parseArguments(argv)).toThrow(reason)
  })
})
