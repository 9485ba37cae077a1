import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { CliError } from '../errors.ts'

export type RunOptions = {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  /** How long it may clean up after it was asked to end. */
  readonly graceMs?: number
}

/** A process that was started at this tick of the machine's clock; a pid alone may be another's by now. */
export type ProcessMark = { readonly pid: number; readonly startTicks: string }

export type Child = {
  readonly mark: ProcessMark
  /** Never rejects; how the process ended, in words. */
  readonly ended: Promise<string>
}

const defaultTimeoutMs = 120_000
const defaultGraceMs = 5_000
const maxOutputBytes = 16 * 1024 * 1024

/** Runs a program to its end and returns its stdout without the last newline. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await execa(command, args, {
    ...execaOptions(options),
    reject: false,
    maxBuffer: maxOutputBytes,
  })
  if (!result.failed) return result.stdout
  options.signal?.throwIfAborted()
  const said = result.stderr.trim().split('\n').slice(-3).join(' | ')
  const why = said === '' ? (result.shortMessage ?? 'failed') : said
  throw new CliError('ToolFailed', `${command} ${args[0] ?? ''}: ${why}`, { cause: result })
}

/** Runs a program on our own stdout and stderr and returns its exit status, whatever it is. */
export async function runShown(
  command: string,
  args: readonly string[],
  options: RunOptions & { readonly stdout?: 'inherit' | 'ignore' } = {},
): Promise<number> {
  const result = await execa(command, args, {
    ...execaOptions(options),
    reject: false,
    stdout: options.stdout ?? 'inherit',
    stderr: 'inherit',
  })
  options.signal?.throwIfAborted()
  if (result.exitCode === undefined)
    throw new CliError('ToolFailed', `${command}: ${result.shortMessage ?? 'failed'}`)
  return result.exitCode
}

/**
 * Starts a program that outlives a Ctrl-C at our terminal: it gets a process group of its own, so that it is
 * we who end it, in order.
 */
export async function start(
  command: string,
  args: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly logPath: string },
): Promise<Child> {
  const log = openSync(options.logPath, 'a')
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`did not start: ${error.message}`))
    child.once('exit', (code, signal) => {
      resolve(signal === null ? `ended with ${code}` : `was ended by ${signal}`)
    })
  })
  const { pid } = child
  if (pid === undefined) throw new CliError('ToolFailed', `start ${command}: ${await ended}`)
  return { mark: { pid, startTicks: (await startTicksOf(pid)) ?? '' }, ended }
}

export async function isRunning(mark: ProcessMark): Promise<boolean> {
  return (await startTicksOf(mark.pid)) === mark.startTicks
}

/** Ends a process and the group it leads: first asks, then insists. */
export async function endProcess(mark: ProcessMark, graceMs: number): Promise<void> {
  if (!(await isRunning(mark))) return
  signalTo(mark.pid, 'SIGTERM')
  const deadlineMs = performance.now() + graceMs
  while (performance.now() < deadlineMs) {
    if (!(await isRunning(mark))) break
    await sleep(25)
  }
  // What it started may still be there, in its group.
  signalTo(-mark.pid, 'SIGKILL')
  while (await isRunning(mark)) await sleep(25)
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Field 22 of /proc/PID/stat; null when there is no such process, or only its remains. */
async function startTicksOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (text === null) return null
  // The name before the last parenthesis may hold blanks.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? null : (fields[19] ?? null)
}

function execaOptions(options: RunOptions) {
  return {
    timeout: options.timeoutMs ?? defaultTimeoutMs,
    forceKillAfterDelay: options.graceMs ?? defaultGraceMs,
    stdin: 'ignore' as const,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  }
}
