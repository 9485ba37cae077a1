import { isDeepStrictEqual } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { HostDriver } from './hosts/host-driver.ts'
import type { TakenEtc } from './report/report.ts'

export type EtcWatchOptions = {
  readonly driver: Pick<HostDriver, 'etcChanges'>
  readonly onEtc: (etc: TakenEtc) => void
  /** Between two looks, give or take a fifth: hosts that start together must not look together for ever. */
  readonly lookEveryMs: number
  /** After so long what did not change is told again, so that its time says how old it is at most. */
  readonly tellEveryMs: number
  readonly now: () => number
  readonly log: Logger
  /** How long `end` waits for a reader that does not stop. Default: 20 seconds. */
  readonly endWithinMs?: number
}

const END_WITHIN_MS = 20_000

/**
 * Ended before the host reboots: what reads its files keeps them from being unmounted. Resolves when nothing reads
 * any more, or what reads hangs in the kernel, which must not hold a reboot back; may be called again.
 */
export type EtcWatch = { readonly end: () => Promise<void> }

/** For one boot, in which nothing else comes to run: looks at once, and then rarely, for it reads all of /etc. */
export function watchEtc(options: EtcWatchOptions, outer: AbortSignal): EtcWatch {
  const over = new AbortController()
  const looking = lookUntilStopped(options, AbortSignal.any([outer, over.signal]))
  return {
    end: async () => {
      over.abort()
      const waited = new AbortController()
      const withinMs = options.endWithinMs ?? END_WITHIN_MS
      const late = delay(withinMs, undefined, { signal: waited.signal }).catch(() => undefined)
      await Promise.race([looking, late])
      waited.abort()
    },
  }
}

async function lookUntilStopped(options: EtcWatchOptions, signal: AbortSignal): Promise<void> {
  const { driver, onEtc, lookEveryMs, tellEveryMs, now, log } = options
  let told: TakenEtc | null = null
  const stopped = (): boolean => signal.aborted
  while (!stopped()) {
    try {
      const taken: TakenEtc = { found: await driver.etcChanges(signal), takenAtMs: now() }
      // A look that was stopped half-way found nothing.
      if (stopped()) return
      if (isNews(taken, told, tellEveryMs)) {
        told = taken
        onEtc(taken)
      }
    } catch (error) {
      if (!stopped()) log.warn({ err: error }, 'looking at what changed in /etc failed')
    }
    await delay(lookEveryMs * (0.8 + 0.4 * Math.random()), undefined, { signal }).catch(() => undefined)
  }
}

function isNews(taken: TakenEtc, told: TakenEtc | null, tellEveryMs: number): boolean {
  if (told === null || !isDeepStrictEqual(taken.found, told.found)) return true
  return Math.abs(taken.takenAtMs - told.takenAtMs) >= tellEveryMs
}
