import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { ControllerError } from '../errors.ts'
import { LEASE_TIMINGS, decideLease } from './lease.ts'
import type { LeaseRecord, LeaseTimings, SeenLease } from './lease.ts'
import { withTimeLimit } from '../time-limit.ts'

export type LeaseRegister = {
  read(signal: AbortSignal): Promise<SeenLease | null>
  /** Revision of the written value. @throws ControllerError StoreConflict when another wrote first. */
  write(record: LeaseRecord, expectedRevision: number, signal: AbortSignal): Promise<number>
}

export type LeadershipOptions = {
  readonly register: LeaseRegister
  readonly holder: string
  readonly logger: Logger
  readonly timings?: LeaseTimings
  /** Highest term known from elsewhere; asked before each take. */
  readonly termFloor?: () => number
  /**
   * Runs while the lease is held and must end soon after `held` aborts. An operating error ends this term only;
   * any other error is a defect and is thrown on.
   */
  readonly lead: (term: number, held: AbortSignal) => Promise<void>
  readonly signal: AbortSignal
}

type Held = { readonly term: number; revision: number; renewedAtMs: number }

/** Stands by, leads while it holds the lease, stands by again; ends when `signal` aborts, releasing the lease. */
export async function runLeadership(options: LeadershipOptions): Promise<void> {
  const { logger, timings = LEASE_TIMINGS, signal } = options
  while (!signal.aborted) {
    const held = await acquire(options)
    if (held === null) return
    logger.info({ term: held.term }, 'leading')
    const failure = await leadWhileHeld(options, held)
    if (!signal.aborted) {
      logger.warn({ term: held.term, error: failure?.message }, 'leading ended, standing by')
      await pause(timings.observeEveryMs, signal)
      continue
    }
    await release(options, held.term).catch((error: unknown) => {
      logger.warn({ error: String(error) }, 'lease not released, a successor waits for its expiry')
    })
  }
}

/** A renewal that was under way when we were told to stop may still be written, so the revision is read, not remembered. */
async function release({ holder, register }: LeadershipOptions, term: number): Promise<void> {
  const signal = AbortSignal.timeout(2_000)
  for (;;) {
    const seen = await register.read(signal)
    if (seen === null || seen.record.holder !== holder || seen.record.term !== term) return
    try {
      const record = { holder: null, term, renewedAt: new Date().toISOString() }
      await register.write(record, seen.revision, signal)
      return
    } catch (error) {
      if (!(error instanceof ControllerError) || error.code !== 'StoreConflict') throw error
      signal.throwIfAborted()
    }
  }
}

async function acquire(options: LeadershipOptions): Promise<Held | null> {
  const { register, holder, logger, timings = LEASE_TIMINGS, signal } = options
  let revision = -1
  let sinceMs = performance.now()
  let complaint = ''
  while (!signal.aborted) {
    try {
      const seen = await register.read(signal)
      const seenRevision = seen?.revision ?? 0
      if (seenRevision !== revision) sinceMs = performance.now()
      revision = seenRevision
      const unchangedForMs = performance.now() - sinceMs
      const decision = decideLease({
        seen,
        holder,
        unchangedForMs,
        takeAfterMs: timings.takeAfterMs,
        termFloor: options.termFloor?.() ?? 0,
      })
      if (decision.kind === 'take') return await take(options, decision.term, decision.expectedRevision)
    } catch (error) {
      if (signal.aborted) return null
      if (!(error instanceof ControllerError)) throw error
      if (error.message !== complaint) logger.warn({ error: error.message }, 'lease not taken')
      complaint = error.message
    }
    await pause(timings.observeEveryMs, signal)
  }
  return null
}

async function take(options: LeadershipOptions, term: number, expectedRevision: number): Promise<Held> {
  // Counted from before the write was sent: a slow answer must shorten our lease, never lengthen it.
  const renewedAtMs = performance.now()
  const record = { holder: options.holder, term, renewedAt: new Date().toISOString() }
  const revision = await options.register.write(record, expectedRevision, options.signal)
  return { term, revision, renewedAtMs }
}

/** What ended it when it was not the lease: an operating error, after which leading is tried again. */
async function leadWhileHeld(options: LeadershipOptions, held: Held): Promise<ControllerError | null> {
  const lost = new AbortController()
  const signal = AbortSignal.any([options.signal, lost.signal])
  const leading = options.lead(held.term, signal).finally(() => lost.abort())
  const renewing = renew(options, held, signal).finally(() => lost.abort())
  const [led, renewed] = await Promise.allSettled([leading, renewing])
  if (renewed.status === 'rejected') throw renewed.reason
  if (led.status === 'fulfilled') return null
  if (led.reason instanceof ControllerError) return led.reason
  if (led.reason instanceof Error && led.reason.name === 'AbortError') return null
  throw led.reason
}

async function renew(options: LeadershipOptions, held: Held, signal: AbortSignal): Promise<void> {
  const { register, holder, timings = LEASE_TIMINGS } = options
  while (!signal.aborted) {
    await pause(timings.renewEveryMs, signal)
    if (signal.aborted) return
    const startedAtMs = performance.now()
    const leftMs = Math.floor(held.renewedAtMs + timings.stopAfterMs - startedAtMs)
    if (leftMs <= 0) return
    const record = { holder, term: held.term, renewedAt: new Date().toISOString() }
    const { revision } = held
    const outcome = await withTimeLimit(signal, leftMs, (bounded) =>
      renewOnce(register, record, revision, bounded),
    )
    if (outcome === null) return
    held.revision = outcome
    held.renewedAtMs = startedAtMs
  }
}

/** New revision, or null when the lease is lost: another wrote, or no answer in the time left. */
async function renewOnce(
  register: LeaseRegister,
  record: LeaseRecord,
  revision: number,
  signal: AbortSignal,
): Promise<number | null> {
  const cut = new Promise<null>((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
  const write = (async (): Promise<number | null> => {
    for (;;) {
      try {
        return await register.write(record, revision, signal)
      } catch (error) {
        if (signal.aborted || (error instanceof ControllerError && error.code === 'StoreConflict'))
          return null
        await pause(200, signal)
      }
    }
  })()
  return Promise.race([write, cut])
}

async function pause(timeMs: number, signal: AbortSignal): Promise<void> {
  await sleep(timeMs, undefined, { signal }).catch(() => undefined)
}
