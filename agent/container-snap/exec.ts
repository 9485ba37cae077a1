import { constants } from 'node:os'
import { watchActivity } from './activity.ts'
import type { SnapErrorCode } from './errors.ts'
import { SnapError, saysNoSpace } from './errors.ts'

export type Command = readonly [file: string, ...args: string[]]

export type RunOptions = {
  signal: AbortSignal
  /** What the command is for, as the start of the error message: `create snapshot of X`. */
  attempt: string
  failure?: SnapErrorCode
  /** What the program reads on its stdin; without it, nothing. */
  input?: string
  timeoutMs?: number
  /** Ends a program that moves no data for so long. */
  stallMs?: number
}

/** A btrfs commit on a slow and busy disk takes minutes. */
const defaultTimeoutMs = 300_000
const outputBytesMax = 32 * 1024 * 1024
const killDelayMs = 5_000

/** Runs one program to its end and returns its exact stdout; its stderr goes into the error. */
export async function run(command: Command, options: RunOptions): Promise<string> {
  return (await capture(command, options)).toString('utf8')
}

/** As `run`, in bytes: a manifest's digest is over bytes, not over text. */
export async function capture(command: Command, options: RunOptions): Promise<Buffer> {
  const { execa } = await import('execa')
  const [file, ...args] = command
  const stalled = new AbortController()
  const child = execa(file, args, {
    env: environment,
    encoding: 'buffer',
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    stripFinalNewline: false,
    reject: false,
    maxBuffer: outputBytesMax,
    timeout: options.timeoutMs ?? defaultTimeoutMs,
    cancelSignal: AbortSignal.any([options.signal, stalled.signal]),
    forceKillAfterDelay: killDelayMs,
  })
  const unwatch = watchStall(child.pid, options.stallMs, () => stalled.abort())
  const result = await child
  unwatch()
  if (!result.failed) return Buffer.from(result.stdout)
  throw failure(file, options, result, stalled.signal.aborted)
}

export type StreamOptions = RunOptions & {
  /** Exit statuses besides 0 that are no failure. */
  alsoFine?: readonly number[]
}

/** Hands stdout on as it comes, for output of any length; the program ends when its reader does. */
export async function stream<T>(
  command: Command,
  options: StreamOptions,
  consume: (chunks: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const { execa } = await import('execa')
  const [file, ...args] = command
  const child = execa(file, args, {
    env: environment,
    encoding: 'buffer',
    stdin: 'ignore',
    buffer: { stdout: false, stderr: true },
    reject: false,
    timeout: options.timeoutMs ?? defaultTimeoutMs,
    cancelSignal: options.signal,
    forceKillAfterDelay: killDelayMs,
  })
  // What the reader makes of a stream that was cut counts only if the program itself ended well.
  const consumed = await consume(child.stdout).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if ('error' in consumed) child.kill()
  const result = await child
  const isFine = !result.failed || options.alsoFine?.includes(result.exitCode ?? -1)
  const isOurEnd = 'error' in consumed && result.isTerminated && !result.timedOut && !options.signal.aborted
  if (!isFine && !isOurEnd) throw failure(file, options, result, false)
  if ('error' in consumed) throw consumed.error
  return consumed.value
}

function failure(file: string, options: RunOptions, result: Failure, isStalled: boolean): SnapError {
  if (options.signal.aborted) return interrupted(options.attempt)
  const found = isStalled
    ? `no data moved for ${(options.stallMs ?? 0) / 1000} s; check the registry and the network`
    : explain(file, options, result)
  if (saysNoSpace(found)) return noSpace(options.attempt, found, result)
  return new SnapError(options.failure ?? 'storage-failed', `${options.attempt}: ${found}`, { cause: result })
}

function watchStall(pid: number | undefined, stallMs: number | undefined, onStall: () => void): () => void {
  return pid === undefined || stallMs === undefined ? () => {} : watchActivity(pid, stallMs, onStall)
}

/** What to do stands first: skopeo's own words are long, and a reader may cut them. */
function noSpace(attempt: string, found: string, cause: unknown): SnapError {
  const advice = 'no space left on device; delete copies and images that are not needed and try again'
  return new SnapError('no-space', `${attempt}: ${advice}: ${found}`, { cause })
}

type Failure = {
  stderr: Uint8Array
  timedOut: boolean
  code?: string | undefined
  exitCode?: number | undefined
  signal?: string | undefined
  shortMessage?: string | undefined
}

function explain(file: string, options: RunOptions, result: Failure): string {
  if (result.code === 'ENOENT') return `${file} is not installed; install it and try again`
  const said = plainWords(Buffer.from(result.stderr).toString('utf8').trim())
  if (result.timedOut)
    return `no end after ${options.timeoutMs ?? defaultTimeoutMs} ms${said === '' ? '' : `: ${said}`}`
  if (said !== '') return said
  if (result.exitCode !== undefined) return `exit status ${result.exitCode} and nothing said`
  return result.shortMessage ?? `killed by ${result.signal ?? 'an unknown signal'}`
}

/** skopeo writes log lines; where one of them is the end of it, its message says it all. */
export function plainWords(stderr: string): string {
  const fatal = /^time="[^"]*" level=fatal msg="((?:[^"\\]|\\.)*)"/m.exec(stderr)?.[1]
  return fatal?.replaceAll(/\\(["\\])/g, '$1') ?? stderr
}

/** Output is parsed, so language and time zone are fixed. */
const environment = { LC_ALL: 'C.UTF-8', TZ: 'UTC' } as const

function interrupted(attempt: string): SnapError {
  return new SnapError('interrupted', `${attempt}: interrupted by a signal`)
}

export type HeldLock = { release: () => Promise<void> }

const conflictExitStatus = 75

/**
 * Holds an exclusive flock(2) in a child `flock FILE cat`. The kernel drops the lock when the child ends, and
 * the child ends when our end of its stdin closes, kill -9 included: nothing stale can stay behind and no
 * takeover rule is needed. It lives in its own process group, or Ctrl-C would drop the lock during clean-up.
 */
export async function holdFlock(path: string, waitMs: number, signal: AbortSignal): Promise<HeldLock> {
  const { execa } = await import('execa')
  const waitSeconds = String(waitMs / 1000)
  const args = [
    '--exclusive',
    '--wait',
    waitSeconds,
    '--conflict-exit-code',
    String(conflictExitStatus),
    path,
    'cat',
  ]
  const child = execa('flock', args, {
    env: environment,
    reject: false,
    detached: true,
    cancelSignal: signal,
    timeout: 0,
  })
  child.stdin.on('error', () => {}) // the exit status below tells more than EPIPE
  // `cat` starts only once the lock is held, so its echo is the proof.
  const held = new Promise<null>((resolve) => child.stdout.once('data', () => resolve(null)))
  child.stdin.write('held\n')
  const outcome = await Promise.race([held, child])
  if (outcome !== null) throw lockError(path, outcome)
  return {
    release: async () => {
      child.stdin.end()
      await child
    },
  }
}

export type HeldNamespace = { pid: number; release: () => Promise<void> }

/**
 * Holds a mount namespace by a `cat` in it; what is mounted there nobody else sees, and it ends with its last process.
 * Dies with us, kill -9 included, and by nothing else: Ctrl-C is for the command that runs in it.
 */
export async function holdMountNamespace(signal: AbortSignal): Promise<HeldNamespace> {
  const { execa } = await import('execa')
  const holder = ['setpriv', '--pdeathsig', 'KILL', '--', 'cat']
  const child = execa('unshare', ['--mount', '--propagation', 'private', '--', ...holder], {
    env: environment,
    encoding: 'buffer',
    reject: false,
    detached: true,
    timeout: 0,
  })
  child.stdin.on('error', () => {}) // the exit status below tells more than EPIPE
  const held = new Promise<null>((resolve) => child.stdout.once('data', () => resolve(null)))
  child.stdin.write('held\n')
  const outcome = await Promise.race([held, child])
  const attempt = 'open a mount namespace'
  if (outcome !== null) throw failure('unshare', { signal, attempt }, outcome, false)
  return {
    pid: child.pid ?? 0,
    release: async () => {
      child.stdin.end()
      await child
    },
  }
}

/** Runs a program with our own stdin, stdout and stderr, for as long as it likes; returns its exit status. */
export async function passThrough(command: Command, { signal, attempt }: RunOptions): Promise<number> {
  const { execa } = await import('execa')
  const [file, ...args] = command
  const result = await execa(file, args, {
    stdio: 'inherit',
    reject: false,
    timeout: 0,
    cancelSignal: signal,
    forceKillAfterDelay: killDelayMs,
  })
  if (signal.aborted) throw interrupted(attempt)
  if (result.exitCode !== undefined) return result.exitCode
  if (result.signal !== undefined) return 128 + constants.signals[result.signal]
  const { code, shortMessage } = result
  throw failure(
    file,
    { signal, attempt },
    { stderr: Buffer.alloc(0), timedOut: false, code, shortMessage },
    false,
  )
}

function lockError(
  path: string,
  outcome: { exitCode?: number | undefined; isCanceled: boolean; stderr: string },
): SnapError {
  if (outcome.exitCode === conflictExitStatus) {
    return new SnapError('busy', `lock ${path}: another container-snap holds it; try again when it is done`)
  }
  if (outcome.isCanceled) return interrupted(`lock ${path}`)
  return new SnapError(
    'storage-failed',
    `lock ${path}: ${outcome.stderr || 'flock is not installed or failed'}`,
  )
}
