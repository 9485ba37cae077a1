import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { AgentError } from './errors.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import { backoffMs } from './update/backoff.ts'

const PREPARE_RETRY = { baseMs: 1_000, maxMs: 30_000 }

/** Without the host's disk there is nothing to go on with: tried for ever, ever more slowly. */
export async function prepareUntilDone(driver: HostDriver, log: Logger, signal: AbortSignal): Promise<void> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      for (const done of await driver.prepare(signal)) log.warn({ done }, 'repaired')
      return
    } catch (error) {
      if (signal.aborted) break
      log.error({ err: error }, 'preparing the host failed')
      const waitMs = backoffMs(failures, Math.random(), PREPARE_RETRY)
      await delay(waitMs, undefined, { signal }).catch(() => {})
    }
  }
  throw new AgentError('Stopped', 'preparing the host: stopped')
}
