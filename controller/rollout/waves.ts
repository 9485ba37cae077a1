import { sizeOf } from '../desired-state/amount.ts'
import type { Strategy } from '../desired-state/types.ts'
import { afterEveryKey } from './order.ts'
import type { WaveRecord } from './types.ts'

/**
 * Cuts the ordered hosts into waves. Sizes are cumulative and never shrink; whoever is left is in the last wave,
 * which ends after every possible key, so that every host has exactly one wave.
 */
export function planWaves(strategy: Strategy, sortedKeys: readonly string[]): readonly WaveRecord[] {
  const population = sortedKeys.length
  const written = strategy.waves.map((wave) => ({
    ...wave,
    reach: sizeOf(wave.upTo, population, 'up-at-least-one'),
  }))
  const reachesAll = (written.at(-1)?.reach ?? 0) >= population
  const waves = reachesAll ? written : [...written, { name: 'rest', soakMs: 0, reach: population }]
  let reached = 0
  return waves.map((wave, index) => {
    const before = reached
    reached = Math.max(reached, wave.reach)
    const place = index === 0 ? 'firstWave' : 'later'
    const isLast = index === waves.length - 1
    return {
      name: wave.name,
      state: 'Pending',
      size: reached - before,
      lastOrderKey: isLast ? afterEveryKey : (sortedKeys[reached - 1] ?? ''),
      soakMs: wave.soakMs,
      soakedMs: 0,
      ranMs: 0,
      failureLimit: strategy.failureLimit[place],
      onFailure: strategy.onFailure[place],
    }
  })
}

/** First match wins; the last wave takes every key. */
export function waveIndexOf(waves: readonly WaveRecord[], key: string): number {
  return waves.findIndex((wave) => key <= wave.lastOrderKey)
}

/** The wave that the rollout is at; -1 after the last. */
export function activeWaveIndex(waves: readonly WaveRecord[]): number {
  return waves.findIndex((wave) => wave.state !== 'Succeeded' && wave.state !== 'Skipped')
}
