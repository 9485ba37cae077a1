import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { ControllerError } from './errors.ts'
import type { CommitStatus, StatusClient } from './forges/commit-status.ts'
import type { CommitStatusConfig } from './source-config.ts'
import { nextPollDelayMs } from './sources/poll-schedule.ts'

export type CommitStatusLoopOptions = {
  readonly target: CommitStatusConfig
  /** What should be shown now; asked for at each interval. */
  readonly verdicts: () => readonly CommitStatus[]
  readonly client: StatusClient
  readonly logger: Logger
  readonly intervalMs?: number
  readonly backoffMs?: number
}

const INTERVAL_MS = 10_000
const BACKOFF_MS = 5_000
const BACKOFF_MAX_MS = 5 * 60_000
const TRIES = 5
/** Of one commit and context, beside what changes its state; GitHub takes a thousand in all. */
const SENT_MAX = 200
const REMEMBERED_MAX = 5_000

type Sent = { readonly state: CommitStatus['state']; readonly text: string; readonly times: number }

/** Tells a forge what changed. Whatever becomes of it, nothing waits for it and nothing depends on it. */
export async function runCommitStatus(options: CommitStatusLoopOptions, signal: AbortSignal): Promise<void> {
  const { verdicts, intervalMs = INTERVAL_MS } = options
  const sent = new Map<string, Sent>()
  while (!signal.aborted) {
    for (const status of verdicts()) {
      const key = `${status.commit} ${status.context}`
      const before = sent.get(key)
      if (!isNews(status, before)) continue
      if (!(await report(options, status, signal))) break
      remember(sent, key, { state: status.state, text: status.description, times: (before?.times ?? 0) + 1 })
      if (signal.aborted) return
    }
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined)
  }
}

function isNews({ state, description }: CommitStatus, before: Sent | undefined): boolean {
  if (before === undefined || before.state !== state) return true
  return before.text !== description && before.times < SENT_MAX
}

/** The one that was not touched for longest goes first; at worst it is sent once more. */
function remember(sent: Map<string, Sent>, key: string, value: Sent): void {
  sent.delete(key)
  sent.set(key, value)
  const [oldest] = sent.keys()
  if (sent.size > REMEMBERED_MAX && oldest !== undefined) sent.delete(oldest)
}

/** True when it needs no further try until it changes; false when what is to be said may be another by now. */
async function report(
  { target, client, logger, backoffMs = BACKOFF_MS }: CommitStatusLoopOptions,
  status: CommitStatus,
  signal: AbortSignal,
): Promise<boolean> {
  for (let tries = 1; tries <= TRIES; tries += 1) {
    try {
      await client.send(target, status, await tokenIn(target.tokenFile), signal)
      return true
    } catch (error) {
      if (signal.aborted) return false
      const isKnown = error instanceof ControllerError
      const retry = isKnown && error.code === 'ForgeUnreachable'
      if (tries === 1 || tries === TRIES || !retry) {
        logger.warn({ error: isKnown ? error.message : String(error) }, 'commit status not sent')
      }
      if (!retry) return true
      const schedule = { intervalMs: backoffMs, maxBackoffMs: BACKOFF_MAX_MS }
      const asked =
        error.retryAfterMs === undefined ? undefined : Math.min(error.retryAfterMs, BACKOFF_MAX_MS)
      const delayMs = nextPollDelayMs(schedule, { failuresInARow: tries, retryAfterMs: asked }, Math.random())
      await sleep(delayMs, undefined, { signal }).catch(() => undefined)
    }
  }
  return false
}

/** At each try, so that it can be exchanged. */
async function tokenIn(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const message = `reading the token file ${path}: ${cause.code ?? cause.message}; correct commitStatus.tokenFile`
    throw new ControllerError('ForgeUnreachable', message, { cause })
  })
  const token = text.trim()
  // A line break in a header would be refused with the token in the error.
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new ControllerError(
    'ForgeUnreachable',
    `reading the token file ${path}: it holds no token of one line`,
  )
}
