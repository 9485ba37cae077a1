import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { sitDownAt } from '../test/support/pseudo-terminal.ts'

const root = join(import.meta.dirname, '..')
const program = `'${process.execPath}' --import tsx '${join(root, 'test/support/crashing-screen.ts')}'`
const patiently = { timeout: 90_000 }

it('gives the terminal back when the program breaks, and lets the error be read', async () => {
  const { screen, type, isOwnScreen, ended } = sitDownAt(`cd '${root}'; ${program}; stty -a`)
  await expect.poll(screen, patiently).toMatch(/^ours, 80 × 24/)
  expect(isOwnScreen()).toBe(true)
  type('x')
  await expect.poll(ended, patiently).toBe(0)
  expect([isOwnScreen(), screen()]).toEqual([false, expect.stringContaining('Error: broken by x')])
  // As the shell had it: keys are shown and Enter is needed.
  expect(screen()).toMatch(/ icanon .*\becho /s)
})

it('follows the size of the terminal', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-tty-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const flag = join(dir, 'resize')
  const resize = `while ! test -e '${flag}'; do sleep 0.1; done; stty rows 10 cols 40 < /dev/tty`
  const { screen, type, ended } = sitDownAt(`cd '${root}'; (${resize}) & exec ${program}`)
  await expect.poll(screen, patiently).toMatch(/^ours, 80 × 24/)
  await writeFile(flag, '')
  await expect.poll(screen, patiently).toMatch(/^now 40 × 10/)
  type('x')
  await expect.poll(ended, patiently).not.toBe(null)
})
