import { formatAmount } from './amount.ts'
import { formatDuration } from './duration.ts'
import { renderSelector } from './render-selector.ts'
import type { Analysis, Strategy, Wave, Window } from './types.ts'

/** The spec of a RolloutStrategy; what is null, like a rate, has no other way to be written than not at all. */
export function renderStrategy(strategy: Strategy): Readonly<Record<string, unknown>> {
  const { budgets, deadlines, downloads, failureLimit, health, onFailure, rate, retry, rollback } = strategy
  return {
    waves: strategy.waves.map(waveOf),
    analysis: strategy.analysis.map(analysisOf),
    ...(rate !== null && { rate }),
    maxUnavailable: formatAmount(strategy.maxUnavailable),
    failureLimit: {
      max: formatAmount(failureLimit.later.max),
      minAttempted: failureLimit.later.minAttempted,
    },
    onFailure: onFailure.later,
    firstWave: {
      failureLimit: { max: formatAmount(failureLimit.firstWave.max) },
      onFailure: onFailure.firstWave,
    },
    rollback: { ...rollback, maxUnavailable: formatAmount(rollback.maxUnavailable) },
    budgets: budgets.map(({ maxUnavailable, topologyKey }) => ({
      topologyKey,
      maxUnavailable: formatAmount(maxUnavailable),
    })),
    downloads: { ...downloads },
    windows: strategy.windows.map(windowOf),
    deadlines: {
      download: formatDuration(deadlines.downloadMs),
      activate: formatDuration(deadlines.activateMs),
      health: formatDuration(deadlines.healthMs),
      wave: formatDuration(deadlines.waveMs),
    },
    health: healthOf(health),
    retry: retryOf(retry),
  }
}

function waveOf(wave: Wave): Readonly<Record<string, unknown>> {
  const { approval, selector } = wave
  return {
    name: wave.name,
    upTo: formatAmount(wave.upTo),
    ...(selector !== null && { selector: renderSelector(selector) }),
    soak: formatDuration(wave.soakMs),
    successThreshold: `${wave.successThresholdPercent}%`,
    maxSkippedShare: `${wave.maxSkippedPercent}%`,
    onEmpty: wave.onEmpty,
    approval:
      approval === null
        ? { required: false }
        : {
            required: true,
            approvers: approval.approvers,
            expiresAfter: formatDuration(approval.expiresAfterMs),
          },
  }
}

function analysisOf({
  failureLimit,
  intervalMs,
  name,
  provider,
}: Analysis): Readonly<Record<string, unknown>> {
  const rest = { interval: formatDuration(intervalMs), failureLimit }
  switch (provider.kind) {
    case 'prometheus': {
      const { operator, value } = provider.success
      return { name, provider: 'prometheus', query: provider.query, success: `${operator} ${value}`, ...rest }
    }
    case 'http':
      return { name, provider: 'http', url: provider.url, ...rest }
    case 'named':
      return { name, provider: provider.check, ...rest }
  }
}

function windowOf(window: Window): Readonly<Record<string, unknown>> {
  const two = (value: number) => String(value).padStart(2, '0')
  return {
    kind: window.kind,
    days: window.days,
    start: `${two(Math.floor(window.startMinute / 60))}:${two(window.startMinute % 60)}`,
    duration: formatDuration(window.durationMs),
    timeZone: window.timeZone,
    actions: window.actions,
  }
}

function healthOf({ stableForMs, ...health }: Strategy['health']): Readonly<Record<string, unknown>> {
  return { ...health, stableFor: formatDuration(stableForMs) }
}

function retryOf({ backoff, limit, on }: Strategy['retry']): Readonly<Record<string, unknown>> {
  const { baseMs, factor, maxMs } = backoff
  return { limit, on, backoff: { base: formatDuration(baseMs), factor, max: formatDuration(maxMs) } }
}
