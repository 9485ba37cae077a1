import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { BACKDATED_MS, HOST_LIFE_MAX_MS } from '../proto/identity.ts'
import type { HostCertificate, Identity } from './identity/identity.ts'
import { backoffMs } from './update/backoff.ts'

export type RenewalOptions = {
  readonly identity: Pick<Identity, 'certificate' | 'request' | 'take' | 'reread'>
  /** The controller's answer to a request: another certificate. */
  readonly renew: (certificateRequestPem: string) => Promise<string>
  /** When the controller last answered; long ago, the certificate may count no more. Default: that is not judged. */
  readonly heardAtMs?: () => number
  /** The certificate is another one, and on disk. */
  readonly onRenewed: () => void
  readonly log: Logger
  readonly signal: AbortSignal
}

/** A clock that is set, or a machine that slept, is noticed after so long; and a file that a person changed. */
const LOOK_EVERY_MS = 30_000
/** A controller that answers nothing for so long may do so because of our certificate, or its own. */
const SILENCE_MS = 5 * 60_000
/** A share of the life of a certificate, so that hosts enrolled together do not renew together. */
const SPREAD = 0.1
const RETRY = { baseMs: 2_000, maxMs: 10 * 60_000 }

/**
 * Renew the certificate when half of its life is over, until `signal` fires. Goes on after it has expired: the
 * clock may be wrong, and a person may put another certificate in place.
 */
export async function keepRenewed(options: RenewalOptions): Promise<void> {
  const { identity, log, signal, heardAtMs = () => Number.POSITIVE_INFINITY } = options
  let due = dueOf(identity.certificate(), Math.random())
  let failures = 0
  let retryAtMs = 0
  let renewedAtMs = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    const dueAtMs = (): number =>
      Math.max(Math.min(due.atMs, silentAtMs(heardAtMs(), renewedAtMs)), retryAtMs)
    const waitMs = dueAtMs() - Date.now()
    await delay(Math.max(0, Math.min(waitMs, LOOK_EVERY_MS)), undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    const replaced = await rereadQuietly(options)
    const isDue = Date.now() >= dueAtMs()
    if (!replaced && !isDue) continue
    const renewed = replaced || (await renewOnce(options))
    failures = renewed ? 0 : failures + 1
    if (!renewed) {
      const { maxMs, baseMs } = RETRY
      retryAtMs =
        Date.now() + backoffMs(failures, Math.random(), { baseMs, maxMs: Math.min(maxMs, due.lifeMs / 20) })
      continue
    }
    due = dueOf(identity.certificate(), Math.random())
    retryAtMs = 0
    renewedAtMs = Date.now()
    log.info({ notAfter: new Date(identity.certificate().notAfterMs).toISOString() }, 'certificate renewed')
    options.onRenewed()
  }
}

/** `random` in [0, 1). A certificate is dated back, which is no part of its life. */
export function dueOf(
  { notBeforeMs, notAfterMs }: Pick<HostCertificate, 'notBeforeMs' | 'notAfterMs'>,
  random: number,
): { readonly atMs: number; readonly lifeMs: number } {
  const wholeMs = notAfterMs - notBeforeMs
  const lifeMs = wholeMs > BACKDATED_MS ? wholeMs - BACKDATED_MS : wholeMs
  // Made for a host that was yet to come: the controller takes no report with it.
  if (lifeMs > HOST_LIFE_MAX_MS + BACKDATED_MS) return { atMs: notBeforeMs, lifeMs: HOST_LIFE_MAX_MS }
  return { atMs: notAfterMs - lifeMs * (0.5 + (random - 0.5) * SPREAD), lifeMs }
}

/** When silence becomes a reason to renew; where that did not end it, not before as much of it again. */
export function silentAtMs(heardAtMs: number, renewedAtMs: number): number {
  return Math.max(heardAtMs, renewedAtMs) + SILENCE_MS
}

async function renewOnce({ identity, renew, log, signal }: RenewalOptions): Promise<boolean> {
  try {
    await identity.take(await renew(identity.request()))
    return true
  } catch (error) {
    if (!signal.aborted)
      log.warn({ error: String(error) }, 'renewing the certificate failed; the one before stays')
    return false
  }
}

async function rereadQuietly({ identity, log }: RenewalOptions): Promise<boolean> {
  try {
    return await identity.reread()
  } catch (error) {
    log.warn({ error: String(error) }, 'certificate.pem was changed and cannot be used; the one before stays')
    return false
  }
}
