import type { Amount, Deadlines, FailureLimit, Health, OnFailure, Strategy, Wave } from './types.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

export const builtInStrategyName = 'default'
export const restWaveName = 'rest'

/** What a user may write of a strategy; every field may be missing. */
export type WrittenStrategy = {
  readonly waves?:
    | readonly { readonly name: string; readonly upTo: Amount; readonly soak?: number | undefined }[]
    | undefined
  readonly maxUnavailable?: Amount | undefined
  readonly failureLimit?:
    { readonly max?: Amount | undefined; readonly minAttempted?: number | undefined } | undefined
  readonly onFailure?: OnFailure | undefined
  readonly deadlines?:
    { readonly [Step in 'download' | 'activate' | 'health' | 'wave']?: number | undefined } | undefined
  readonly health?:
    { readonly checks?: readonly string[] | undefined; readonly stableFor?: number | undefined } | undefined
}

/**
 * Writes every default out. The first wave is stricter than the others: unless `failureLimit.max` is written,
 * one failure in it is one too many, and unless `onFailure` is written, it rolls back where later waves pause.
 * A written `minAttempted` is for the later waves only: in a first wave of one host it would hide the failure
 * that the wave exists to find.
 */
export function withDefaults(name: string, written: WrittenStrategy): Strategy {
  const max = written.failureLimit?.max
  return {
    name,
    waves: wavesOf(written.waves),
    maxUnavailable: written.maxUnavailable ?? percent(10),
    failureLimit: {
      firstWave: limit(max ?? { kind: 'count', count: 0 }, 1),
      later: limit(max ?? percent(2), written.failureLimit?.minAttempted ?? 1),
    },
    onFailure: { firstWave: written.onFailure ?? 'Rollback', later: written.onFailure ?? 'Pause' },
    deadlines: deadlinesOf(written.deadlines),
    health: healthOf(written.health),
  }
}

/** Hosts beyond the last written wave form one of their own, written out like every other default. */
function wavesOf(written: WrittenStrategy['waves']): readonly Wave[] {
  const waves: readonly Wave[] = written?.map(({ name, upTo, soak }) => ({
    name,
    upTo,
    soakMs: soak ?? 0,
  })) ?? [
    { name: 'canary', upTo: { kind: 'count', count: 1 }, soakMs: 0 },
    { name: 'tenth', upTo: percent(10), soakMs: 0 },
  ]
  return reachesAll(waves.at(-1)?.upTo)
    ? waves
    : [...waves, { name: restWaveName, upTo: percent(100), soakMs: 0 }]
}

export function reachesAll(upTo: Amount | undefined): boolean {
  return upTo?.kind === 'percent' && upTo.percent === 100
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
  return { checks: written?.checks ?? [], stableForMs: written?.stableFor ?? 0 }
}

function percent(value: number): Amount {
  return { kind: 'percent', percent: value }
}

function limit(max: Amount, minAttempted: number): FailureLimit {
  return { max, minAttempted }
}
