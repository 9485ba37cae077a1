import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { execute, run } from './exec.ts'

const { signal } = new AbortController()
/** Far longer than any test waits. */
const daemon = 'sleep 3600 & echo $!'

const runs = (pid: string) => {
  try {
    return process.kill(Number(pid), 0)
  } catch {
    return false
  }
}

it('is done when the program is, although what it started holds its output open', async () => {
  const options = { attempt: 'test', signal, timeoutMs: 3_600_000 }
  const { exitCode, stdout } = await execute(['sh', '-c', `${daemon}; exit 3`], options)
  expect(exitCode).toBe(3)
  expect(runs(stdout)).toBe(true)
  process.kill(Number(stdout))
})

it('takes along what a foreign program left running', async () => {
  const options = { attempt: 'test', signal, timeoutMs: 3_600_000, leftovers: 'killed' } as const
  const { stdout } = await execute(['sh', '-c', daemon], options)
  await expect.poll(() => runs(stdout), { timeout: 60_000 }).toBe(false)
})

it('ends at its limit, with all that the program started', async () => {
  const pids: string[] = []
  const options = {
    attempt: 'test',
    signal,
    timeoutMs: 1_000,
    leftovers: 'killed',
    onLine: (line: string) => pids.push(line),
  } as const
  await expect(execute(['sh', '-c', `${daemon}; sleep 3600`], options)).rejects.toMatchObject({
    code: 'ExecFailed',
    message: 'test: no end after 1000 ms',
  })
  await expect.poll(() => runs(pids[0] ?? ''), { timeout: 60_000 }).toBe(false)
})

it('ends when it is told to, although what it started holds its output open', async () => {
  const stop = new AbortController()
  const pids: string[] = []
  const onLine = (line: string) => {
    pids.push(line)
    stop.abort()
  }
  const options = { attempt: 'test', signal: stop.signal, timeoutMs: 3_600_000, onLine }
  await expect(execute(['sh', '-c', `${daemon}; exec sleep 3600`], options)).rejects.toMatchObject({
    code: 'Stopped',
  })
  process.kill(Number(pids[0]))
})

it('says nothing in its errors of a secret that went in or came out', async () => {
  const options = { attempt: 'test', signal, timeoutMs: 60_000, input: 'a secret' }
  expect(await run(['cat'], options)).toBe('a secret')
  const failing = await run(['sh', '-c', 'cat; exit 3'], options).catch((error: unknown) => error)
  expect(inspect(failing)).toContain('test: exit status 3: nothing said')
  const slow = ['sh', '-c', 'cat; exec sleep 3600'] as const
  const late = await run(slow, { ...options, timeoutMs: 1_000 }).catch((error: unknown) => error)
  expect(inspect(late)).toContain('test: no end after 1000 ms')
  expect(inspect([failing, late], { depth: 9 })).not.toContain('secret')
  expect(await run(['true'], { ...options, input: 'x'.repeat(1_000_000) })).toBe('')
})
