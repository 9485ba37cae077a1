import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { holdFlock, plainWords, run, stream } from './exec.ts'
import { bundle } from './testing/program.ts'

const never = new AbortController().signal

describe('the lock', () => {
  let directory = ''
  let path = ''
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'container-snap-lock-'))
    path = join(directory, 'lock')
  })
  afterAll(async () => rm(directory, { recursive: true, force: true }))

  test('is had by one at a time, and by the next after release', async () => {
    const lock = await holdFlock(path, 60_000, never)
    await expect(holdFlock(path, 50, never)).rejects.toMatchObject({ code: 'busy' })
    const waiting = holdFlock(path, 60_000, never)
    await lock.release()
    await (await waiting).release()
  })

  test('is seen by flock(1) of any other program', async () => {
    const lock = await holdFlock(path, 60_000, never)
    await expect(promisify(execFile)('flock', ['--nonblock', path, 'true'])).rejects.toMatchObject({
      code: 1,
    })
    await lock.release()
    await promisify(execFile)('flock', ['--nonblock', path, 'true'])
  })

  test('waiting for it ends with an abort', async () => {
    const lock = await holdFlock(path, 60_000, never)
    const abort = new AbortController()
    const waiting = holdFlock(path, 30_000, abort.signal)
    setTimeout(() => abort.abort(), 100)
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' })
    await lock.release()
  })

  test('is free again after kill -9 of its holder', async () => {
    const module = join(directory, 'exec.mjs')
    await bundle('exec.ts', module)
    const script = `const { holdFlock } = await import(${JSON.stringify(module)})
      await holdFlock(${JSON.stringify(path)}, 60000, new AbortController().signal)
      console.log('held'); setInterval(() => {}, 1000)`
    const holder = spawn('node', ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    await expect(holdFlock(path, 50, never)).rejects.toMatchObject({ code: 'busy' })
    holder.kill('SIGKILL')
    await (await holdFlock(path, 60_000, never)).release()
  })
})

describe('run', () => {
  test('tells a program that is not installed by name', async () => {
    const attempt = 'do a thing'
    await expect(run(['no-such-program'], { signal: never, attempt })).rejects.toThrow(
      'do a thing: no-such-program is not installed',
    )
  })

  test('ends a program that takes too long', async () => {
    const options = { signal: never, attempt: 'sleep', timeoutMs: 100 }
    await expect(run(['sleep', '60'], options)).rejects.toThrow('sleep: no end after 100 ms')
  })

  test('ends a program that moves no data, and only such a one', async () => {
    const options = { signal: never, attempt: 'copy', stallMs: 200 }
    await expect(run(['sleep', '60'], options)).rejects.toThrow('copy: no data moved for 0.2 s')
    const trickling = 'for i in 1 2 3 4 5 6 7 8; do printf "%6000s" x; sleep 0.5; done'
    expect((await run(['bash', '-c', trickling], { ...options, stallMs: 3_000 })).length).toBe(8 * 6000)
  })

  test('says first what to do about a full disk, with a code of its own', async () => {
    const script = 'echo "writing blob: No space left on device" >&2; exit 1'
    await expect(run(['sh', '-c', script], { signal: never, attempt: 'copy' })).rejects.toMatchObject({
      code: 'no-space',
      message: expect.stringMatching(/^copy: no space left on device; delete .*: writing blob/) as string,
    })
  })

  test('keeps what the program said on stderr', async () => {
    const options = { signal: never, attempt: 'list' }
    await expect(run(['ls', '/no/such/folder'], options)).rejects.toThrow("cannot access '/no/such/folder'")
  })
})

describe('plain words', () => {
  test('are the message of a fatal log line, without its marks', () => {
    const log = 'time="T" level=warning msg="aside"\ntime="T" level=fatal msg="reading \\"x\\": gone"'
    expect(plainWords(log)).toBe('reading "x": gone')
  })

  test('are the text itself where there is no log line', () => {
    expect(plainWords('ERROR: no')).toBe('ERROR: no')
  })
})

describe('streaming a program', () => {
  const options = { signal: never, attempt: 'read it', timeoutMs: 20_000 }
  const count = async (chunks: AsyncIterable<Buffer>): Promise<number> => {
    let bytes = 0
    for await (const chunk of chunks) bytes += chunk.length
    return bytes
  }

  test('hands on more than memory is kept for', async () => {
    const bytes = 40 * 1024 * 1024
    expect(await stream(['head', '--bytes', String(bytes), '/dev/zero'], options, count)).toBe(bytes)
  })

  test('fails with what the program said, unless its exit status is fine', async () => {
    const command = ['ls', '/nowhere at all'] as const
    await expect(stream(command, options, count)).rejects.toThrow(/^read it: .*nowhere at all/)
    expect(await stream(command, { ...options, alsoFine: [2] }, count)).toBe(0)
    await expect(stream(['no-such-program'], options, count)).rejects.toThrow(
      'no-such-program is not installed',
    )
  })

  test('ends the program when its reader fails, with the reader’s error', async () => {
    const failing = async (chunks: AsyncIterable<Buffer>): Promise<number> => {
      for await (const chunk of chunks) throw new Error(`enough after ${chunk.length > 0}`)
      return 0
    }
    await expect(stream(['cat', '/dev/zero'], options, failing)).rejects.toThrow('enough after true')
  })

  test('ends by its time limit as a failure', async () => {
    await expect(stream(['sleep', '30'], { ...options, timeoutMs: 200 }, count)).rejects.toThrow(
      'no end after 200 ms',
    )
  })
})
