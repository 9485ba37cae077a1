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
import { resolveFleets } from './wanted-fleets.ts'
import type { ImageResolver, KnownImages } from './wanted-fleets.ts'

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
  readonly images: ImageResolver
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

type Accepted = { readonly stored: AcceptedCommit; readonly desiredState: DesiredState }
type Outcome = { readonly errors: readonly string[]; readonly retryAfterMs: number | undefined }

const ALL_WELL: Outcome = { errors: [], retryAfterMs: undefined }
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
  #images: { readonly outcome: Outcome; readonly againAtMs: number } | null = null
  #imageFailuresInARow = 0
  #ended = false
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
    if (this.#ended) return Promise.resolve()
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
      this.#ended = true
      for (const resolve of this.#waiters) resolve()
    }
  }

  /** Only right after our own term: another leader may have accepted something newer since. */
  async #recover(): Promise<void> {
    const { stateDir, term, logger } = this.#options
    const stored = await readAcceptedCommit(stateDir)
    if (stored === null || stored.term !== term - 1) return
    const parsed = parseDesiredState(stored.files)
    if (!parsed.ok) return
    const ours = { ...stored, term }
    // It holds already; should it not be written, only the restart after this one would miss it.
    await this.#write(ours).catch((error: unknown) => logger.warn({ error: String(error) }, 'not kept'))
    this.#hold({ stored: ours, desiredState: parsed.desiredState })
  }

  async #pollOnce(signal: AbortSignal): Promise<number> {
    const served = this.#waiters
    this.#waiters = []
    const read = await this.#attempt(async () => this.#take(await this.#options.source.poll(signal)))
    const wanted = await this.#attempt(() => this.#want(served.length > 0, signal))
    const error = [...read.errors, ...wanted.errors].join('\n')
    if (error !== '' && error !== this.#state.error) {
      this.#options.logger.warn({ error }, 'source or image not read')
    }
    this.#failuresInARow = read.errors.length === 0 ? 0 : this.#failuresInARow + 1
    const delayMs = this.#delayMs(this.#failuresInARow, read.retryAfterMs)
    const nowMs = Date.now()
    this.#state = { ...this.#state, error, lastPolledAtMs: nowMs, nextPollAtMs: nowMs + delayMs }
    this.#options.onChange()
    for (const resolve of served) resolve()
    return delayMs
  }

  #delayMs(failuresInARow: number, retryAfterMs: number | undefined): number {
    const schedule = { intervalMs: this.#options.pollIntervalMs, maxBackoffMs: BACKOFF_MAX_MS }
    return nextPollDelayMs(schedule, { failuresInARow, retryAfterMs }, Math.random())
  }

  async #attempt(task: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await task()
    } catch (error) {
      if (error instanceof ControllerError && error.code !== 'LeaseLost') {
        return { errors: [error.message], retryAfterMs: error.retryAfterMs }
      }
      if (!isSystemError(error)) throw error
      return { errors: [`using the state directory: ${error.message}`], retryAfterMs: undefined }
    }
  }

  async #take(snapshot: SourceSnapshot): Promise<Outcome> {
    const { logger, term } = this.#options
    const { commit, subject, files } = snapshot
    this.#state = { ...this.#state, headCommit: commit }
    if (commit === this.#state.rejection?.commit) return ALL_WELL
    this.#state = { ...this.#state, rejection: null }
    if (commit === this.#accepted?.stored.commit) return ALL_WELL
    const parsed = parseDesiredState(files)
    if (parsed.ok) {
      const stored = { term, commit, subject, files: [...files], images: this.#known }
      await this.#write(stored)
      this.#hold({ stored, desiredState: parsed.desiredState })
      logger.info({ commit }, 'commit accepted')
      return ALL_WELL
    }
    const issues = parsed.issues.slice(0, ISSUES_MAX).map(formatIssue)
    this.#state = { ...this.#state, rejection: { commit, issues } }
    logger.warn({ commit, issues: parsed.issues.length }, 'commit rejected')
    return ALL_WELL
  }

  get #known(): KnownImages {
    return this.#accepted?.stored.images ?? {}
  }

  async #write(stored: AcceptedCommit): Promise<void> {
    await writeAcceptedCommit(this.#options.stateDir, stored)
  }

  #hold(accepted: Accepted): void {
    const { commit, subject } = accepted.stored
    if (commit !== this.#accepted?.stored.commit) this.#images = null
    this.#accepted = accepted
    this.#state = { ...this.#state, acceptedCommit: commit, acceptedSubject: subject }
  }

  /** A registry that fails is asked less and less often, while git is followed as ever. */
  async #want(atOnce: boolean, signal: AbortSignal): Promise<Outcome> {
    if (this.#accepted === null) return ALL_WELL
    if (!atOnce && this.#images !== null && performance.now() < this.#images.againAtMs) {
      return this.#images.outcome
    }
    const { stored, desiredState } = this.#accepted
    const resolver = this.#options.images
    const { fleets, known, errors, retryAfterMs } = await resolveFleets(desiredState, stored.images, {
      resolver,
      signal,
    })
    const now = { ...stored, images: known }
    // Kept before it is wanted: a restart that knew less would want the image from before.
    if (JSON.stringify(known) !== JSON.stringify(stored.images)) await this.#write(now)
    this.#accepted = { stored: now, desiredState }
    const wanted = JSON.stringify([stored.commit, fleets])
    if (wanted !== this.#lastWanted) {
      await this.#options.want(stored.commit, fleets)
      this.#lastWanted = wanted
    }
    const outcome = { errors, retryAfterMs: undefined }
    this.#imageFailuresInARow = errors.length === 0 ? 0 : this.#imageFailuresInARow + 1
    const backoffMs = errors.length === 0 ? 0 : this.#delayMs(this.#imageFailuresInARow, retryAfterMs)
    this.#images = { outcome, againAtMs: performance.now() + backoffMs }
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

/** A full disk or a lost permission: shown and tried again, while hosts are served from memory. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
