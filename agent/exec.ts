import type { Readable } from 'node:stream'
import { execa } from 'execa'
import { AgentError } from './errors.ts'

export type Command = readonly [file: string, ...args: string[]]

export type ExecOptions = {
  /** What the command is for; starts the error message. */
  readonly attempt: string
  readonly signal: AbortSignal
  readonly timeoutMs: number
  /** Added to a minimal environment: of the agent's own, only PATH is inherited. */
  readonly env?: Readonly<Record<string, string>>
  /** Called for every line of stdout as it comes. */
  readonly onLine?: (line: string) => void
  /** What the program left running, in its process group, ends with it; for programs that are not ours. */
  readonly leftovers?: 'killed'
  /** Given on stdin, for secrets: neither it nor what the program then says on stdout becomes part of an error. */
  readonly input?: string
}

export type ExecResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string }

const OUTPUT_MAX_BYTES = 4 * 1024 * 1024
const KILL_DELAY_MS = 5_000
const LINE_MAX_LENGTH = 16 * 1024
/** What the program itself said has long been read by then. */
const LEFTOVERS_MS = 1_000

/**
 * Run one program to its end, whatever its exit status.
 * @throws AgentError ExecMissing when there is no such program, ExecFailed when it was killed or ran too long,
 * Stopped when `signal` fired.
 */
export async function execute(command: Command, options: ExecOptions): Promise<ExecResult> {
  const [file, ...args] = command
  const child = execa(file, args, {
    env: { PATH: pathOf(), LC_ALL: 'C.UTF-8', ...options.env },
    extendEnv: false,
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    reject: false,
    maxBuffer: OUTPUT_MAX_BYTES,
    timeout: options.timeoutMs,
    cancelSignal: options.signal,
    forceKillAfterDelay: KILL_DELAY_MS,
    detached: options.leftovers === 'killed',
  })
  child.once('exit', () => {
    if (options.leftovers === 'killed') killGroup(child.pid)
    letGo(child)
  })
  // The agent may live on a file system that a reboot unmounts, so no child gets its working directory from it.
  const lines = options.onLine === undefined ? Promise.resolve() : eachLine(child, options.onLine)
  const [result] = await Promise.all([child, lines])
  if (options.signal.aborted) throw new AgentError('Stopped', `${options.attempt}: stopped`)
  if (result.code === 'ENOENT') {
    throw new AgentError('ExecMissing', `${options.attempt}: there is no program ${file}; install it`)
  }
  if (result.exitCode === undefined) {
    const found = result.timedOut
      ? `no end after ${options.timeoutMs} ms`
      : (result.shortMessage ?? 'killed').slice(0, 300)
    // The result's own message holds what the program said.
    const cause = options.input === undefined ? { cause: result } : {}
    throw new AgentError('ExecFailed', `${options.attempt}: ${found}`, cause)
  }
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr }
}

/**
 * As {@link execute}, for programs that must succeed.
 * @throws AgentError ExecFailed too, with the last words of the program's stderr, for any other exit status than 0.
 */
export async function run(command: Command, options: ExecOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await execute(command, options)
  if (exitCode === 0) return stdout
  const spoken = options.input === undefined ? lastLine(stdout) : ''
  const said = lastLine(stderr) || spoken || 'nothing said'
  throw new AgentError('ExecFailed', `${options.attempt}: exit status ${exitCode}: ${said}`)
}

/**
 * The first line of stdout that is wanted, at which the program is ended; null: it ended well without one. Nothing else
 * of stdout is kept, so it may be of any length; a line is judged by its first 16 KiB.
 * @throws AgentError ExecFailed where it did not end well, and as {@link execute}.
 */
export async function findLine(
  command: Command,
  { attempt, signal, timeoutMs }: Pick<ExecOptions, 'attempt' | 'signal' | 'timeoutMs'>,
  isWanted: (line: string) => boolean,
): Promise<string | null> {
  const [file, ...args] = command
  const child = execa(file, args, {
    env: { PATH: pathOf(), LC_ALL: 'C.UTF-8' },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    buffer: { stdout: false, stderr: true },
    maxBuffer: OUTPUT_MAX_BYTES,
    timeout: timeoutMs,
    cancelSignal: signal,
    forceKillAfterDelay: KILL_DELAY_MS,
  })
  const [read] = await Promise.allSettled([firstOf(child.stdout, isWanted)])
  const found = read.status === 'fulfilled' ? read.value : null
  if (found !== null || read.status === 'rejected') child.kill()
  const result = await child
  if (found !== null) return found
  if (signal.aborted) throw new AgentError('Stopped', `${attempt}: stopped`)
  if (result.code === 'ENOENT') {
    throw new AgentError('ExecMissing', `${attempt}: there is no program ${file}; install it`)
  }
  if (read.status === 'rejected' && !result.timedOut) {
    // Nothing is known of what was not read.
    throw new AgentError('ExecFailed', `${attempt}: reading what ${file} says`, { cause: read.reason })
  }
  if (!result.failed) return null
  const ended = result.timedOut ? `no end after ${timeoutMs} ms` : `exit status ${result.exitCode ?? 'none'}`
  throw new AgentError('ExecFailed', `${attempt}: ${ended}: ${lastLine(result.stderr) || 'nothing said'}`)
}

async function firstOf(
  chunks: AsyncIterable<Buffer | string>,
  isWanted: (line: string) => boolean,
): Promise<string | null> {
  let begun = ''
  for await (const chunk of chunks) {
    const [first = '', ...others] = String(chunk).split('\n')
    const lines = [`${begun}${first}`, ...others]
    begun = (lines.pop() ?? '').slice(0, LINE_MAX_LENGTH)
    const found = lines.find((line) => isWanted(line))
    if (found !== undefined) return found
  }
  return begun !== '' && isWanted(begun) ? begun : null
}

/** Last line that says something, at most 256 characters. */
export function lastLine(text: string): string {
  const line = text.trimEnd().split('\n').at(-1) ?? ''
  return line.trim().slice(0, 256)
}

/** A program that ended is waited for no longer because others, its children, hold its output open. */
function letGo({ stdout, stderr }: { stdout: Readable; stderr: Readable }): void {
  const timer = setTimeout(() => {
    stdout.destroy()
    stderr.destroy()
  }, LEFTOVERS_MS)
  timer.unref()
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // As after nearly every end, nobody is left.
  }
}

async function eachLine(child: AsyncIterable<unknown>, onLine: (line: string) => void): Promise<void> {
  try {
    for await (const line of child) onLine(String(line))
  } catch {
    // How the child ended is judged by its result.
  }
}

function pathOf(): string {
  // oxlint-disable-next-line node/no-process-env -- where programs are found is the machine's business
  return process.env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
}
