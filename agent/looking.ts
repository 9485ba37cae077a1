import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { HostDriver } from './hosts/host-driver.ts'
import type { Mailbox } from './mailbox.ts'
import type { HostFacts } from './update/facts.ts'

export type LookingOptions = {
  readonly driver: Pick<HostDriver, 'inspect'>
  readonly mailbox: Pick<Mailbox, 'putLook'>
  /** Between two looks. */
  readonly lookEveryMs: number
  readonly log: Logger
}

type Seen = Omit<HostFacts, 'evidence'>

/**
 * A person may move what boots while the agent runs: looked at now and then, and told when it is not what it was.
 * Resolves when `signal` has fired.
 */
export async function lookUntilStopped(
  options: LookingOptions,
  first: Seen,
  signal: AbortSignal,
): Promise<void> {
  const { driver, mailbox, lookEveryMs, log } = options
  let last = markOf(first)
  const stopped = (): boolean => signal.aborted
  while (!stopped()) {
    await delay(lookEveryMs, undefined, { signal }).catch(() => undefined)
    if (stopped()) return
    try {
      const facts = await driver.inspect(signal)
      if (stopped() || markOf(facts) === last) continue
      last = markOf(facts)
      mailbox.putLook({ kind: 'looked', facts })
    } catch (error) {
      if (!stopped()) log.debug({ err: error }, 'looking at what boots next failed')
    }
  }
}

function markOf({ bootId, default: next, moved }: Seen): string {
  return JSON.stringify([bootId, next?.deploymentId ?? '', moved?.id ?? ''])
}
