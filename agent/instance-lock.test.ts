import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { bundle } from './container-snap/testing/program.ts'
import { lockInstance } from './instance-lock.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bootfleet-lock-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

it('a state directory belongs to one agent at a time, and to the next after it', async () => {
  const lock = await lockInstance(join(directory, 'state'))
  await expect(lockInstance(`${directory}/./state/`)).rejects.toMatchObject({
    code: 'AlreadyRunning',
    message: expect.stringContaining('another agent runs with it') as string,
  })
  await (await lockInstance(join(directory, 'other'))).release()
  await lock.release()
  await (await lockInstance(join(directory, 'state'))).release()
})

it('the lock of an agent that was killed is free', async () => {
  const module = join(directory, 'lock.mjs')
  await bundle('../instance-lock.ts', module)
  const state = join(directory, 'state')
  const script = `const { lockInstance } = await import(${JSON.stringify(module)})
    await lockInstance(${JSON.stringify(state)})
    console.log('locked'); setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  await expect(lockInstance(state)).rejects.toMatchObject({ code: 'AlreadyRunning' })
  holder.kill('SIGKILL')
  await vi.waitFor(async () => (await lockInstance(state)).release(), 90_000)
})
