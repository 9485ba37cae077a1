import type { Logger } from 'pino'
import { readAcceptedCommit, writeAcceptedCommit } from './accepted-commit.ts'
import type { AcceptedCommit } from './accepted-commit.ts'
import { formatIssue } from './desired-state/issue.ts'
import { parseDesiredState } from './desired-state/parse.ts'
import type { DesiredState, SourceFile } from './desired-state/types.ts'
import { ControllerError } from './errors.ts'
import type { WantedFleet } from './rollout/types.ts'
import { nextPollDelayMs } from './sources/poll-schedule.ts'
import type { WantedFleets } from './wanted-fleets.ts'

export type SourceSnapshot = {
  readonly commit: string
  readonly subject: string
  readonly files: readonly SourceFile[]
}

/** What status says about the source. */
export type SourceState = {
  readonly url: string
  readonly branch: string
  readonly headCommit: string
  readonly acceptedCommit: string
  readonly acceptedSubject: string
  readonly rejection: { readonly commit: string; readonly issues: readonly string[] } | null
  readonly error: string
  readonly lastPolledAtMs: number
  readonly nextPollAtMs: number
}

export type SourceLoopOptions = {
  readonly source: { poll(signal: AbortSignal): Promise<SourceSnapshot> }
  readonly wantedFleets: WantedFleets
  readonly stateDir: string
  readonly term: number
  /** Without credentials. */
  readonly url: string
  readonly branch: string
  readonly pollIntervalMs: number
  readonly logger: Logger
  readonly want: (commit: string, fleets: readonly WantedFleet[]) => Promise<void>
  readonly onChange: () => void
}

export type SourceLoop = {
  run(signal: AbortSignal): Promise<void>
  /** Polls at once; resolves after a poll that began no earlier than this call. Callers share polls. */
  sync(): Promise<void>
  readonly state: SourceState
}

type Accepted = { readonly commit: string; readonly subject: string; readonly desiredState: DesiredState }

const BACKOFF_MAX_MS = 5 * 60_000
const ISSUES_MAX = 50

export function createSourceLoop(options: SourceLoopOptions): SourceLoop {
  const { url, branch, logger } = options
  let state: SourceState = {
    url,
    branch,
    headCommit: '',
    acceptedCommit: '',
    acceptedSubject: '',
    rejection: null,
    error: '',
    lastPolledAtMs: 0,
    nextPollAtMs: 0,
  }
  let accepted: Accepted | null = null
  let lastWanted = ''
  let failuresInARow = 0
  let waiters: (() => void)[] = []
  let wake: (() => void) | null = null

  async function accept(commit: AcceptedCommit, desiredState: DesiredState): Promise<void> {
    await writeAcceptedCommit(options.stateDir, commit)
    accepted = { commit: commit.commit, subject: commit.subject, desiredState }
    state = { ...state, acceptedCommit: commit.commit, acceptedSubject: commit.subject }
  }

  /** Only right after our own term: another leader may have accepted something newer since. */
  async function recover(): Promise<void> {
    const stored = await readAcceptedCommit(options.stateDir)
    if (stored === null || stored.term !== options.term - 1) return
    const parsed = parseDesiredState(stored.files)
    if (parsed.ok) await accept({ ...stored, term: options.term }, parsed.desiredState)
  }

  async function take(snapshot: SourceSnapshot): Promise<void> {
    state = { ...state, headCommit: snapshot.commit }
    if (snapshot.commit === accepted?.commit) {
      state = { ...state, rejection: null }
      return
    }
    if (snapshot.commit === state.rejection?.commit) return
    const parsed = parseDesiredState(snapshot.files)
    if (parsed.ok) {
      const { commit, subject, files } = snapshot
      await accept({ term: options.term, commit, subject, files: [...files] }, parsed.desiredState)
      state = { ...state, rejection: null }
      logger.info({ commit }, 'commit accepted')
      return
    }
    const issues = parsed.issues.slice(0, ISSUES_MAX).map(formatIssue)
    state = { ...state, rejection: { commit: snapshot.commit, issues } }
    logger.warn({ commit: snapshot.commit, issues: parsed.issues.length }, 'commit rejected')
  }

  /** Error of the poll, null when all is well; status shows it. */
  async function poll(
    signal: AbortSignal,
  ): Promise<{ readonly error: string; readonly retryAfterMs: number | undefined }> {
    const errors: string[] = []
    let retryAfterMs: number | undefined
    try {
      await take(await options.source.poll(signal))
    } catch (error) {
      if (!(error instanceof ControllerError)) throw error
      errors.push(error.message)
      retryAfterMs = error.retryAfterMs
    }
    if (accepted !== null) {
      const resolution = await options.wantedFleets.resolve(accepted.desiredState, signal)
      errors.push(...resolution.errors)
      retryAfterMs ??= resolution.retryAfterMs
      const { commit } = accepted
      const wanted = JSON.stringify([commit, resolution.fleets])
      if (wanted !== lastWanted) {
        await options.want(commit, resolution.fleets)
        lastWanted = wanted
      }
    }
    return { error: errors.join('\n'), retryAfterMs }
  }

  async function pollOnce(signal: AbortSignal): Promise<number> {
    const served = waiters
    waiters = []
    const { error, retryAfterMs } = await poll(signal)
    failuresInARow = error === '' ? 0 : failuresInARow + 1
    if (error !== '' && error !== state.error) logger.warn({ error }, 'source or image not read')
    const schedule = { intervalMs: options.pollIntervalMs, maxBackoffMs: BACKOFF_MAX_MS }
    const delayMs = nextPollDelayMs(schedule, { failuresInARow, retryAfterMs }, Math.random())
    const nowMs = Date.now()
    state = { ...state, error, lastPolledAtMs: nowMs, nextPollAtMs: nowMs + delayMs }
    options.onChange()
    for (const resolve of served) resolve()
    return delayMs
  }

  async function wait(delayMs: number, signal: AbortSignal): Promise<void> {
    if (waiters.length > 0 || signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
      signal.addEventListener('abort', wake, { once: true })
    })
    wake = null
  }

  return {
    async run(signal) {
      try {
        await recover()
        while (!signal.aborted) await wait(await pollOnce(signal), signal)
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        for (const resolve of waiters) resolve()
      }
    },
    sync() {
      return new Promise<void>((resolve) => {
        waiters.push(resolve)
        wake?.()
      })
    },
    get state() {
      return state
    },
  }
}
