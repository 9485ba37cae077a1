import { sizeOf } from '../desired-state/amount.ts'
import { matchesSelector } from '../desired-state/label-selector.ts'
import type { Labels } from '../desired-state/label-selector.ts'
import { restWaveName } from '../desired-state/reserved-names.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { Selector, Strategy, Wave } from '../desired-state/types.ts'
import { afterEveryKey, endOfRank } from './order.ts'
import { ranksUpTo } from './population.ts'
import type { Population } from './population.ts'
import type { WaveRecord } from './records.ts'

const rest = waveOf(restWaveName, { kind: 'percent', percent: 100 })

/**
 * Cuts the ordered hosts into waves. Sizes are cumulative and never shrink; a wave takes the first hosts of the
 * order that its selector matches and that no wave before it took. Whoever is left is in the last wave, which has
 * no selector and ends after every possible key, so that every host has exactly one wave. Yields now and then, so
 * that a million hosts can be planned between other work.
 */
export function* planWaves(
  strategy: Strategy,
  population: Population,
): Generator<undefined, readonly WaveRecord[]> {
  const total = population.ranks.length
  const waves = wavesFor(strategy, total)
  const records: WaveRecord[] = []
  let reached = 0
  for (const [index, wave] of waves.entries()) {
    const isLast = index === waves.length - 1
    const wanted = Math.max(0, sizeOf(wave.upTo, total, 'up-at-least-one') - reached)
    const taken = isLast
      ? { count: total - reached, lastRank: null }
      : yield* ranksUpTo(population, { count: wanted, selector: wave.selector, mark: index + 1 })
    reached += taken.count
    const end = taken.lastRank === null ? '' : endOfRank(taken.lastRank)
    records.push(
      recordOf(strategy, wave, {
        index,
        size: taken.count,
        lastOrderKey: isLast ? afterEveryKey : end,
      }),
    )
  }
  return records
}

function wavesFor(strategy: Strategy, total: number): readonly Wave[] {
  const last = strategy.waves.at(-1)
  const takesAll =
    last !== undefined && last.selector === null && sizeOf(last.upTo, total, 'up-at-least-one') >= total
  return takesAll ? strategy.waves : [...strategy.waves, rest]
}

function recordOf(
  strategy: Strategy,
  wave: Wave,
  at: { readonly index: number; readonly size: number; readonly lastOrderKey: string },
): WaveRecord {
  const place = at.index === 0 ? 'firstWave' : 'later'
  return {
    name: wave.name,
    state: 'Pending',
    size: at.size,
    lastOrderKey: at.lastOrderKey,
    selector: wave.selector,
    soakMs: wave.soakMs,
    soakedMs: 0,
    ranMs: 0,
    failureLimit: strategy.failureLimit[place],
    onFailure: strategy.onFailure[place],
    forgiven: 0,
    successThresholdPercent: wave.successThresholdPercent,
    maxSkippedPercent: wave.maxSkippedPercent,
    onEmpty: wave.onEmpty,
    approval: wave.approval,
    awaitedMs: 0,
    approvals: [],
    approved: null,
    measured: [],
    promoted: null,
    leavesBehind: false,
    forgivenFailures: 0,
    forgivenRegressions: 0,
    note: '',
  }
}

/** First match wins; the last wave takes every host. */
export function waveIndexOf(waves: readonly WaveRecord[], key: string, labels: Labels): number {
  return waves.findIndex((wave) => key <= wave.lastOrderKey && isSelected(wave.selector, labels))
}

function isSelected(selector: Selector | null, labels: Labels): boolean {
  return selector === null || matchesSelector(selector, labels)
}

/** The wave that the rollout is at; -1 after the last. */
export function activeWaveIndex(waves: readonly WaveRecord[]): number {
  return waves.findIndex((wave) => wave.state !== 'Succeeded' && wave.state !== 'Skipped')
}
