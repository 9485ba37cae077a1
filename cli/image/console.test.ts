import { expect, it } from 'vitest'
import { failedUnits, judgeConsole, lastLines } from './console.ts'

const green = '[\u001B[0;32m  OK  \u001B[0m]'

it('takes the target that systemd reached for up, through its colours', () => {
  const text = `${green} Reached target \u001B[0;1;39mmulti-user.target\u001B[0m - Multi-User System.\r\n`
  expect(judgeConsole(text)).toEqual({
    kind: 'up',
    marker: 'Reached target multi-user.target - Multi-User System.',
  })
})

it('takes a login prompt for up', () => {
  expect(judgeConsole('Debian GNU/Linux 13 till-1 ttyS0\r\n\r\ntill-1 login: ')).toEqual({
    kind: 'up',
    marker: 'till-1 login:',
  })
})

it('does not take other targets, or a menu, for up', () => {
  const text = `BdsDxe: starting Boot0001\r\nBoot in 3 s.\r\n${green} Reached target basic.target - Basic System.\r\n`
  expect(judgeConsole(text)).toEqual({ kind: 'unknown' })
})

it.each([
  'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
  'You are in emergency mode. After logging in, type "journalctl -xb" to view system logs.',
  'Cannot open access to console, the root account is locked.',
  'BdsDxe: failed to start Boot0001 "UEFI Misc Device": Unsupported',
])('takes "%s" for down, whatever else was reached', (line) => {
  const text = `Reached target multi-user.target - Multi-User System.\r\n[    9.1] ${line}\r\n`
  expect(judgeConsole(text)).toEqual({ kind: 'down', marker: line })
})

it('names each unit that failed once', () => {
  const failed =
    '[\u001B[0;1;31mFAILED\u001B[0m] Failed to start \u001B[0;1;39mssh.service\u001B[0m - SSH server.\r\n'
  expect(failedUnits(failed + failed)).toEqual(['ssh.service - SSH server'])
})

it('keeps the last lines with text', () => {
  expect(lastLines('one\r\n\r\ntwo\r\nthree\r\n', 2)).toBe('two\nthree')
})
