import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { execute, findLine, run } from './exec.ts'

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

const finding = { attempt: 'look for it', signal, timeoutMs: 60_000 }

it('ends a program at the line that is wanted, whatever it would have said after', async () => {
  const endless = ['sh', '-c', 'echo one; echo two; exec yes nothing'] as const
  expect(await findLine(endless, finding, (line) => line === 'two')).toBe('two')
})

it('finds none in output of any length, and the last line without its end', async () => {
  const long = ['sh', '-c', 'yes 0123456789 | head -c 20000000; printf last'] as const
  let lines = 0
  expect(await findLine(long, finding, (line) => (lines += 1) < 0 || line === 'first')).toBeNull()
  expect(lines).toBeGreaterThan(1_800_000)
  expect(await findLine(['printf', 'one\\nlast'], finding, (line) => line === 'last')).toBe('last')
})

it('says what failed where nothing was found, and not that there is nothing', async () => {
  const never = (): boolean => false
  const failed = findLine(['sh', '-c', 'echo one; echo broken >&2; exit 3'], finding, never)
  await expect(failed).rejects.toThrow('look for it: exit status 3: broken')
  await expect(findLine(['/nowhere/program'], finding, never)).rejects.toMatchObject({ code: 'ExecMissing' })
  const slow = findLine(['sleep', '600'], { ...finding, timeoutMs: 200 }, never)
  await expect(slow).rejects.toThrow('look for it: no end after 200 ms')
})

it('does not take output that it could not judge for output without the line', async () => {
  const broken = (): boolean => {
    throw new Error('broken')
  }
  await expect(findLine(['echo', 'one'], finding, broken)).rejects.toMatchObject({ code: 'ExecFailed' })
})
