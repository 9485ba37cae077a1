import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lockInstance } from '../instance-lock.ts'
import { adopt } from './command.ts'
import { LAYOUTS, openTestMachine } from './testing/machine.ts'
import type { TestMachine } from './testing/machine.ts'
import { withTopLevel, workplaceOf } from './workplace.ts'

let machine: TestMachine
beforeAll(async () => {
  machine = await openTestMachine(LAYOUTS.Debian)
})
afterAll(async () => machine.close())

const given = { env: {}, programPath: '', signal: new AbortController().signal, say: () => {} }

test('what is in the place where the file system is mounted is never deleted', async () => {
  const place = workplaceOf(machine)
  await mkdir(join(place, 'top'), { recursive: true })
  await writeFile(join(place, 'top/precious'), 'kept')
  const options = { ...given, sysroot: machine.root }
  try {
    await expect(withTopLevel(options, async () => 'worked')).rejects.toThrow(`${place}/top is not empty`)
    expect(await readFile(join(place, 'top/precious'), 'utf8')).toBe('kept')
  } finally {
    await rm(join(place, 'top/precious'))
  }
  expect(await withTopLevel(options, async () => 'worked')).toBe('worked')
})

test('a machine is worked on once at a time, wherever it is mounted', async () => {
  const lock = await lockInstance(workplaceOf(machine))
  const elsewhere = await mkdtemp(join(tmpdir(), 'bootfleet-adopt-elsewhere-'))
  try {
    await execa('mount', ['--bind', machine.root, elsewhere])
    await expect(adopt(['--undo', '--sysroot', elsewhere], given)).rejects.toThrow(
      `locking ${workplaceOf(machine)}`,
    )
  } finally {
    await execa('umount', [elsewhere], { reject: false })
    await rmdir(elsewhere)
    await lock.release()
  }
})
