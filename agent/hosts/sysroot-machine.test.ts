import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSysroot } from '../container-snap/testing/sysroot.ts'
import type { Sysroot } from '../container-snap/testing/sysroot.ts'
import type { Machine } from './machine.ts'
import { sysrootMachine } from './sysroot-machine.ts'

const signal = new AbortController().signal

describe('a machine whose root is mounted elsewhere', () => {
  let disk: Sysroot
  let machine: Machine
  let base: string

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'bootfleet-machine-'))
    disk = await openSysroot(128)
    const words = ['-n', '-v', '-o', 'SOURCE', disk.directory]
    const device = execFileSync('findmnt', words, { encoding: 'utf8' }).trim()
    machine = sysrootMachine({ sysroot: disk.directory, device, runDir: join(base, 'run') })
    await machine.prepare(signal)
  })

  afterEach(async () => {
    await disk.close()
    await rm(base, { recursive: true, force: true })
  })

  it('that cannot reboot because its root is in use keeps its state where it was', async () => {
    const state = join(disk.directory, 'var/lib/state.json')
    await mkdir(join(disk.directory, 'var/lib'))
    await writeFile(state, 'all')
    const used = await open(join(disk.directory, 'in-use'), 'w')
    const bootId = await machine.bootId()
    await expect(machine.reboot(signal)).rejects.toMatchObject({
      code: 'MountFailed',
      message: expect.stringContaining('end what uses it') as string,
    })
    expect(await readFile(state, 'utf8')).toBe('all')
    expect(await machine.bootId()).toBe(bootId)
    await used.close()
    await machine.reboot(signal)
    expect(await readFile(state, 'utf8')).toBe('all')
    expect(await machine.bootId()).not.toBe(bootId)
  })

  it('reboots to the end although the process is told to stop', async () => {
    const bootId = await machine.bootId()
    await machine.reboot(AbortSignal.abort())
    await machine.prepare(signal)
    expect(await machine.bootId()).not.toBe(bootId)
    expect(await readFile(join(base, 'run/boot-id'), 'utf8')).toContain(await machine.bootId())
  })
})
