import { execa } from 'execa'
import { endLeftovers } from '../leftovers.ts'
import { failed, inconclusive, passed } from './outcome.ts'
import type { Outcome } from './outcome.ts'

const OUTPUT_MAX_BYTES = 64 * 1024
const KILL_DELAY_MS = 2_000

export type CheckCall = {
  readonly name: string
  readonly command: readonly string[]
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Runs a check of the operator's own, without a shell: 0 passed, 1 failed, anything else proves nothing. */
export async function runCheck({ name, command, timeoutMs, signal }: CheckCall): Promise<Outcome> {
  const [program = '', ...args] = command
  const child = execa(program, args, {
    // A path and a language, and none of the controller's own environment, which may hold secrets.
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
    extendEnv: false,
    cwd: '/',
    stdin: 'ignore',
    all: true,
    reject: false,
    maxBuffer: OUTPUT_MAX_BYTES,
    timeout: timeoutMs,
    cancelSignal: signal,
    forceKillAfterDelay: KILL_DELAY_MS,
    detached: true,
  })
  child.once('exit', () => endLeftovers(child))
  const result = await child
  signal.throwIfAborted()
  const said = lastLine(result.all)
  const what = `check ${name}`
  if (result.timedOut) return inconclusive(`${what}: no end after ${timeoutMs / 1000}s`)
  // Before all else: cut off, it may well have exited with 0 or 1.
  if (result.isMaxBuffer) return inconclusive(`${what}: more than ${OUTPUT_MAX_BYTES} bytes of output`)
  if (result.code === 'ENOENT' || result.code === 'EACCES') {
    return inconclusive(`${what}: ${program} is missing or not executable (${result.code})`)
  }
  if (result.exitCode === 0) return passed(`${what}: ${said}`)
  if (result.exitCode === 1) return failed(`${what}: ${said}`)
  const end =
    result.exitCode === undefined
      ? `ended by ${result.signal ?? 'a signal'}`
      : `exit status ${result.exitCode}`
  return inconclusive(`${what}: ${end}: ${said}`)
}

function lastLine(output: string | undefined): string {
  const line = output?.trimEnd().split('\n').at(-1)?.trim() ?? ''
  return line === '' ? 'it said nothing' : line
}
