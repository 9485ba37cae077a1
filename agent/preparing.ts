import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { AgentError } from './errors.ts'
import type { HostDriver, LoaderFacts } from './hosts/host-driver.ts'
import { backoffMs } from './update/backoff.ts'

const RETRY = { baseMs: 1_000, maxMs: 30_000 }

/** Without the host's disk there is nothing to go on with: tried for ever, ever more slowly. */
export async function prepareUntilDone(driver: HostDriver, log: Logger, signal: AbortSignal): Promise<void> {
  const attempt = 'preparing the host'
  const repaired = await untilDone({ attempt, log, signal }, () => driver.prepare(signal))
  if (repaired === null) throw new AgentError('Stopped', `${attempt}: stopped`)
  for (const done of repaired) log.warn({ done }, 'repaired')
}

/**
 * Whether an image of ours runs, so that the host has a way back and an /etc to merge. True when `signal` fired, too:
 * nothing more is begun then.
 */
export async function isDeployed(
  driver: Pick<HostDriver, 'inspect'>,
  log: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  const attempt = 'looking at what runs'
  const found = await untilDone({ attempt, log, signal }, () => driver.inspect(signal))
  return found?.current !== null
}

/**
 * A host that does not say is updated like one that is guarded: so what could not be read is read again. Nothing is
 * known when `signal` fired.
 */
export async function readLoaderUntilDone(
  driver: Pick<HostDriver, 'loaderFacts'>,
  log: Logger,
  signal: AbortSignal,
): Promise<LoaderFacts> {
  const attempt = 'asking what the boot loader does'
  const read = await untilDone({ attempt, log, signal }, () => driver.loaderFacts(signal))
  return read ?? { kernelLine: null, guard: null }
}

type Attempt = { readonly log: Logger; readonly signal: AbortSignal; readonly attempt: string }

/** Null when `signal` fired. */
async function untilDone<T>({ attempt, log, signal }: Attempt, act: () => Promise<T>): Promise<T | null> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      return await act()
    } catch (error) {
      if (signal.aborted) return null
      log.error({ err: error }, `${attempt} failed`)
      const waitMs = backoffMs(failures, Math.random(), RETRY)
      await delay(waitMs, undefined, { signal }).catch(() => {})
    }
  }
  return null
}
