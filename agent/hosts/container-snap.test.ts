import { spawn } from 'node:child_process'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { bundle } from '../container-snap/testing/program.ts'
import { openContainerSnapHost } from './container-snap.ts'
import type { HostDriver } from './host-driver.ts'
import { realMachine } from './real-machine.ts'

const signal = new AbortController().signal

describe('the container-snap program, as the agent calls it', () => {
  let directory: string
  let command: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bootfleet-driver-'))
    command = join(directory, 'container-snap')
  })

  afterEach(() => rm(directory, { recursive: true, force: true }))

  const open = (program: string): HostDriver =>
    openContainerSnapHost({ command: program, machine: realMachine(), env: {} })
  const program = (text: string): Promise<void> => writeFile(command, `#!/bin/sh\n${text}\n`, { mode: 0o755 })

  it('ends with an agent that was killed', async () => {
    const [module, pidFile] = [join(directory, 'driver.mjs'), join(directory, 'pid')]
    await bundle('../hosts/container-snap.ts', module)
    await program(`echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 60`)
    const script = `const { openContainerSnapHost } = await import(${JSON.stringify(module)})
      const machine = { root: '/', sysroot: null, bootId: async () => '' }
      const host = openContainerSnapHost({ command: ${JSON.stringify(command)}, machine, env: {} })
      await host.activate('x', new AbortController().signal)`
    const agent = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'ignore' })
    await vi.waitFor(() => access(pidFile), 10_000)
    const pid = (await readFile(pidFile, 'utf8')).trim()
    agent.kill('SIGKILL')
    await vi.waitFor(() => expect(access(`/proc/${pid}`)).rejects.toThrow('ENOENT'), 10_000)
  })

  it('that is missing is told by its name', async () => {
    await expect(open(command).inspect(signal)).rejects.toMatchObject({
      code: 'ExecMissing',
      message: expect.stringContaining(command) as string,
    })
  })

  it('that finds no space left is told apart from one that failed', async () => {
    await program('echo "container-snap: create snapshot of x: no space left on device" >&2; exit 8')
    await expect(open(command).activate('x', signal)).rejects.toMatchObject({
      code: 'NoSpace',
      message: expect.stringContaining('no space left on device') as string,
    })
    await program('exit 1')
    await expect(open(command).activate('x', signal)).rejects.toMatchObject({ code: 'ActivateFailed' })
  })
})
