import { setTimeout as sleep } from 'node:timers/promises'
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

type Accepted = { readonly commit: string; readonly desiredState: DesiredState }
type Outcome = { readonly errors: readonly string[]; readonly retryAfterMs: number | undefined }

const NOTHING_READ = {
  headCommit: '',
  acceptedCommit: '',
  acceptedSubject: '',
  rejection: null,
  error: '',
  lastPolledAtMs: 0,
  nextPollAtMs: 0,
}
const BACKOFF_MAX_MS = 5 * 60_000
const ISSUES_MAX = 50

/** Follows the source: a commit is taken whole or not at all, and its tags are resolved anew at each poll. */
export class SourceLoop {
  readonly #options: SourceLoopOptions
  #state: SourceState
  #accepted: Accepted | null = null
  #lastWanted = ''
  #failuresInARow = 0
  #waiters: (() => void)[] = []
  #wake: (() => void) | null = null

  constructor(options: SourceLoopOptions) {
    this.#options = options
    this.#state = { url: options.url, branch: options.branch, ...NOTHING_READ }
  }

  get state(): SourceState {
    return this.#state
  }

  /** Polls at once; resolves after a poll that began no earlier than this call. Callers share polls. */
  sync(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      this.#wake?.()
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#recover()
      while (!signal.aborted) await this.#wait(await this.#pollOnce(signal), signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      for (const resolve of this.#waiters) resolve()
    }
  }

  /** Only right after our own term: another leader may have accepted something newer since. */
  async #recover(): Promise<void> {
    const { stateDir, term } = this.#options
    const stored = await readAcceptedCommit(stateDir)
    if (stored === null || stored.term !== term - 1) return
    const parsed = parseDesiredState(stored.files)
    if (parsed.ok) await this.#accept({ ...stored, term }, parsed.desiredState)
  }

  async #pollOnce(signal: AbortSignal): Promise<number> {
    const served = this.#waiters
    this.#waiters = []
    const read = await this.#read(signal)
    const wanted = await this.#want(signal)
    const error = [...read.errors, ...wanted.errors].join('\n')
    const retryAfterMs = read.retryAfterMs ?? wanted.retryAfterMs
    if (error !== '' && error !== this.#state.error) {
      this.#options.logger.warn({ error }, 'source or image not read')
    }
    this.#failuresInARow = error === '' ? 0 : this.#failuresInARow + 1
    const schedule = { intervalMs: this.#options.pollIntervalMs, maxBackoffMs: BACKOFF_MAX_MS }
    const history = { failuresInARow: this.#failuresInARow, retryAfterMs }
    const delayMs = nextPollDelayMs(schedule, history, Math.random())
    const nowMs = Date.now()
    this.#state = { ...this.#state, error, lastPolledAtMs: nowMs, nextPollAtMs: nowMs + delayMs }
    this.#options.onChange()
    for (const resolve of served) resolve()
    return delayMs
  }

  async #read(signal: AbortSignal): Promise<Outcome> {
    try {
      await this.#take(await this.#options.source.poll(signal))
      return { errors: [], retryAfterMs: undefined }
    } catch (error) {
      if (!(error instanceof ControllerError)) throw error
      return { errors: [error.message], retryAfterMs: error.retryAfterMs }
    }
  }

  async #take(snapshot: SourceSnapshot): Promise<void> {
    const { logger, term } = this.#options
    const { commit, subject, files } = snapshot
    this.#state = { ...this.#state, headCommit: commit }
    if (commit === this.#state.rejection?.commit) return
    this.#state = { ...this.#state, rejection: null }
    if (commit === this.#accepted?.commit) return
    const parsed = parseDesiredState(files)
    if (parsed.ok) {
      await this.#accept({ term, commit, subject, files: [...files] }, parsed.desiredState)
      logger.info({ commit }, 'commit accepted')
      return
    }
    const issues = parsed.issues.slice(0, ISSUES_MAX).map(formatIssue)
    this.#state = { ...this.#state, rejection: { commit, issues } }
    logger.warn({ commit, issues: parsed.issues.length }, 'commit rejected')
  }

  async #accept(commit: AcceptedCommit, desiredState: DesiredState): Promise<void> {
    await writeAcceptedCommit(this.#options.stateDir, commit)
    this.#accepted = { commit: commit.commit, desiredState }
    this.#state = { ...this.#state, acceptedCommit: commit.commit, acceptedSubject: commit.subject }
  }

  async #want(signal: AbortSignal): Promise<Outcome> {
    if (this.#accepted === null) return { errors: [], retryAfterMs: undefined }
    const { commit, desiredState } = this.#accepted
    const { fleets, ...outcome } = await this.#options.wantedFleets.resolve(desiredState, signal)
    const wanted = JSON.stringify([commit, fleets])
    if (wanted !== this.#lastWanted) {
      await this.#options.want(commit, fleets)
      this.#lastWanted = wanted
    }
    return outcome
  }

  async #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#waiters.length > 0) return
    const early = new AbortController()
    this.#wake = () => early.abort()
    // Either end is an ordinary one: the loop looks at the signal itself.
    await sleep(delayMs, undefined, { signal: AbortSignal.any([signal, early.signal]) }).catch(
      () => undefined,
    )
    this.#wake = null
  }
}
