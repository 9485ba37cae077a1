import type { Logger } from 'pino'
import { attempt } from './attempt.ts'
import type { Commit } from './merge-sources.ts'
import { PollLoop } from './poll-loop.ts'
import { nextPollDelayMs } from './sources/poll-schedule.ts'
import { UntrustedCommit } from './sources/untrusted-commit.ts'
import type { Anchor } from './sources/verified.ts'

/** Where one source is, and what reads it. */
export type Source = {
  readonly name: string
  /** Without credentials; of a folder, its path. */
  readonly url: string
  /** Empty for a folder. */
  readonly branch: string
  readonly pollIntervalMs: number
  /** @throws UntrustedCommit where commits are verified, each since `accepted`. */
  poll(signal: AbortSignal, accepted: Anchor | null): Promise<Commit>
}

export type SourceLoopOptions = {
  readonly source: Source
  readonly take: (name: string, head: Commit) => Promise<void>
  /** The head is not to be trusted: it stays out, and status says why. */
  readonly distrust: (name: string, refusal: UntrustedCommit) => void
  /** The newest commit that was verified and accepted. */
  readonly anchorOf: (name: string) => Anchor | null
  readonly logger: Logger
  readonly onChange: () => void
}

export type PollState = {
  /** Why it could not be read; empty when all is well. */
  readonly error: string
  readonly lastPolledAtMs: number
  readonly nextPollAtMs: number
}

const BACKOFF_MAX_MS = 5 * 60_000

/** Follows one source; whether what it finds is taken is judged elsewhere, beside the other sources. */
export class SourceLoop {
  readonly #options: SourceLoopOptions
  readonly #loop: PollLoop
  #state: PollState = { error: '', lastPolledAtMs: 0, nextPollAtMs: 0 }
  #failuresInARow = 0

  constructor(options: SourceLoopOptions) {
    this.#options = options
    this.#loop = new PollLoop((_, signal) => this.#turn(signal))
  }

  get state(): PollState {
    return this.#state
  }

  /** Polls at once; resolves after a poll that began no earlier than this call. Callers share polls. */
  sync(): Promise<void> {
    return this.#loop.sync()
  }

  wake(): void {
    this.#loop.wake()
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal)
  }

  async #turn(signal: AbortSignal): Promise<number> {
    const { source, logger, onChange } = this.#options
    const { error, retryAfterMs } = await attempt(() => this.#poll(signal))
    if (error !== '' && error !== this.#state.error) {
      logger.warn({ source: source.name, error }, 'source not read')
    }
    this.#failuresInARow = error === '' ? 0 : this.#failuresInARow + 1
    const schedule = { intervalMs: source.pollIntervalMs, maxBackoffMs: BACKOFF_MAX_MS }
    const history = { failuresInARow: this.#failuresInARow, retryAfterMs }
    const delayMs = nextPollDelayMs(schedule, history, Math.random())
    const nowMs = Date.now()
    this.#state = { error, lastPolledAtMs: nowMs, nextPollAtMs: nowMs + delayMs }
    onChange()
    return delayMs
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { source, take, distrust, anchorOf } = this.#options
    try {
      await take(source.name, await source.poll(signal, anchorOf(source.name)))
    } catch (error) {
      // The remote answered, so it is asked at its usual pace.
      if (!(error instanceof UntrustedCommit)) throw error
      distrust(source.name, error)
    }
  }
}
