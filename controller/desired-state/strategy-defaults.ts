import { reachesAll } from './amount.ts'
import { restWaveName } from './reserved-names.ts'
import type { WrittenStrategy } from './strategy-schema.ts'
import type {
  Amount,
  Deadlines,
  Downloads,
  Health,
  Rate,
  Retry,
  RollbackPolicy,
  Strategy,
  Wave,
} from './types.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

const noHost: Amount = { kind: 'count', count: 0 }

/**
 * Writes every default out. The first wave is stricter than the others: unless something else is written, one
 * failure in it is one too many, it rolls back where later waves pause, and it does not end without any host. A
 * written `minAttempted` is for the later waves only: in a first wave of one host it would hide the failure that
 * the wave exists to find.
 */
export function withDefaults(name: string, written: WrittenStrategy): Strategy {
  return {
    name,
    waves: wavesOf(written.waves),
    maxUnavailable: written.maxUnavailable ?? percent(10),
    failureLimit: failureLimitOf(written),
    onFailure: onFailureOf(written),
    deadlines: deadlinesOf(written.deadlines),
    health: healthOf(written.health),
    analysis: written.analysis ?? [],
    rate: rateOf(written.rate),
    rollback: rollbackOf(written.rollback),
    budgets: written.budgets ?? [],
    downloads: downloadsOf(written.downloads),
    windows: written.windows ?? [],
    retry: retryOf(written.retry),
  }
}

function failureLimitOf({ failureLimit, firstWave }: WrittenStrategy): Strategy['failureLimit'] {
  const max = failureLimit?.max
  return {
    firstWave: { max: firstWave?.failureLimit?.max ?? max ?? noHost, minAttempted: 1 },
    later: { max: max ?? percent(2), minAttempted: failureLimit?.minAttempted ?? 1 },
  }
}

function rollbackOf(written: WrittenStrategy['rollback']): RollbackPolicy {
  return {
    scope: written?.scope ?? 'UpdatedHosts',
    maxUnavailable: written?.maxUnavailable ?? percent(20),
    windows: written?.windows ?? 'Respect',
  }
}

function downloadsOf(written: WrittenStrategy['downloads']): Downloads {
  return { maxConcurrent: written?.maxConcurrent ?? 50, prefetch: written?.prefetch ?? 'NextWave' }
}

function onFailureOf({ firstWave, onFailure }: WrittenStrategy): Strategy['onFailure'] {
  return { firstWave: firstWave?.onFailure ?? onFailure ?? 'Rollback', later: onFailure ?? 'Pause' }
}

/** Hosts that no written wave takes form one of their own, written out like every other default. */
function wavesOf(written: WrittenStrategy['waves']): readonly Wave[] {
  const waves: readonly NonNullable<WrittenStrategy['waves']>[number][] = written ?? [
    { name: 'canary', upTo: { kind: 'count', count: 1 } },
    { name: 'tenth', upTo: percent(10) },
  ]
  const last = waves.at(-1)
  const takesAll = last !== undefined && reachesAll(last.upTo) && last.selector === undefined
  const all = takesAll ? waves : [...waves, { name: restWaveName, upTo: percent(100) }]
  return all.map(
    ({ name, upTo, soak, selector, successThreshold, maxSkippedShare, onEmpty, approval }, index) => ({
      ...waveOf(name, upTo, soak),
      selector: selector ?? null,
      successThresholdPercent: successThreshold ?? 0,
      maxSkippedPercent: maxSkippedShare ?? 20,
      onEmpty: onEmpty ?? (index === 0 ? 'Block' : 'Skip'),
      approval:
        approval === undefined || approval.required === false
          ? null
          : {
              approvers: approval.approvers ?? 1,
              expiresAfterMs: approval.expiresAfter ?? 72 * hourMs,
            },
    }),
  )
}

/** A wave that asks for nothing but its hosts and its soak. */
export function waveOf(name: string, upTo: Amount, soakMs = 0): Wave {
  return {
    name,
    upTo,
    selector: null,
    soakMs,
    successThresholdPercent: 0,
    maxSkippedPercent: 100,
    onEmpty: 'Skip',
    approval: null,
  }
}

function rateOf(written: WrittenStrategy['rate']): Rate | null {
  if (written === undefined) return null
  const { basePerMinute, factor = 2, maxPerMinute = Math.max(200, basePerMinute) } = written
  return { basePerMinute, factor, maxPerMinute }
}

function retryOf(written: WrittenStrategy['retry']): Retry {
  const { base: baseMs = minuteMs, factor = 2, max } = written?.backoff ?? {}
  return {
    limit: written?.limit ?? 2,
    on: written?.on ?? ['Download', 'Stage'],
    backoff: { baseMs, factor, maxMs: max ?? Math.max(30 * minuteMs, baseMs) },
  }
}

function deadlinesOf(written: WrittenStrategy['deadlines']): Deadlines {
  return {
    downloadMs: written?.download ?? 2 * hourMs,
    activateMs: written?.activate ?? 20 * minuteMs,
    healthMs: written?.health ?? 10 * minuteMs,
    waveMs: written?.wave ?? 24 * hourMs,
  }
}

function healthOf(written: WrittenStrategy['health']): Health {
  return {
    units: written?.units ?? [],
    http: written?.http ?? [],
    checks: written?.checks ?? [],
    greenboot: written?.greenboot ?? true,
    reachController: written?.reachController ?? true,
    stableForMs: written?.stableFor ?? 0,
  }
}

function percent(value: number): Amount {
  return { kind: 'percent', percent: value }
}
