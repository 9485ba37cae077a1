import { setTimeout as sleep } from 'node:timers/promises'

/** Takes turns until the signal: after the delay that the turn before asked for, or at once when somebody asks. */
export class PollLoop {
  readonly #turn: (atOnce: boolean, signal: AbortSignal) => Promise<number>
  #ended = false
  #waiters: (() => void)[] = []
  #early: (() => void) | null = null

  /** `turn` resolves with the milliseconds until the next one; it is told whether somebody asked for it. */
  constructor(turn: (atOnce: boolean, signal: AbortSignal) => Promise<number>) {
    this.#turn = turn
  }

  /** Resolves after a turn that began no earlier than this call. Callers share turns. */
  sync(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      this.#early?.()
    })
  }

  /** As sync, for who does not wait: many calls during one turn cause one more turn, and keep nothing. */
  wake(): void {
    if (this.#waiters.length === 0) void this.sync()
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const served = this.#waiters
        this.#waiters = []
        const delayMs = await this.#turn(served.length > 0, signal).finally(() => {
          for (const resolve of served) resolve()
        })
        await this.#wait(delayMs, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#ended = true
      for (const resolve of this.#waiters) resolve()
    }
  }

  async #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#waiters.length > 0) return
    const early = new AbortController()
    this.#early = () => early.abort()
    // Either end is an ordinary one: the loop looks at the signal itself.
    await sleep(delayMs, undefined, { signal: AbortSignal.any([signal, early.signal]) }).catch(
      () => undefined,
    )
    this.#early = null
  }
}
