import { watchActivity } from './activity.ts'
import type { SnapErrorCode } from './errors.ts'
import { SnapError, saysNoSpace } from './errors.ts'

export type Command = readonly [file: string, ...args: string[]]

export type RunOptions = {
  signal: AbortSignal
  /** What the command is for, as the start of the error message: `create snapshot of X`. */
  attempt: string
  failure?: SnapErrorCode
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
    stdin: 'ignore',
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
  if (options.signal.aborted) throw interrupted(options.attempt)
  const found = stalled.signal.aborted
    ? `no data moved for ${(options.stallMs ?? 0) / 1000} s; check the registry and the network`
    : explain(file, options, result)
  if (saysNoSpace(found)) throw noSpace(options.attempt, found, result)
  throw new SnapError(options.failure ?? 'storage-failed', `${options.attempt}: ${found}`, { cause: result })
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
