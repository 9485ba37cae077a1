import { parseDuration } from '../../controller/desired-state/duration.ts'
import { waveOf, withDefaults } from '../../controller/desired-state/strategy-defaults.ts'
import type { Analysis, Strategy, Wave } from '../../controller/desired-state/types.ts'
import { amount, limitsFrom } from './rollout-limits.ts'

/**
 * strategy waves=canary:1:2h,rest:100% threshold=80 skipped=20 mayNotBeEmpty=canary approval=canary:72h
 * analysis=errors:5m:1 (name, interval, failures allowed) scope=FailedOnly rollbackUnavailable=2
 */
export function strategyOf(options: Readonly<Record<string, string>>): Strategy {
  const time = (value: string): number => parseDuration(value) ?? 0
  const max = options['failures']
  const onFailure = options['onFailure'] as 'Pause' | 'Rollback' | undefined
  return {
    ...withDefaults('test', {}),
    ...limitsFrom(options),
    waves: wavesOf(options),
    maxUnavailable: amount(options['maxUnavailable'] ?? '1'),
    analysis: analysesOf(options['analysis']),
    rollback: {
      scope: (options['scope'] as Strategy['rollback']['scope'] | undefined) ?? 'UpdatedHosts',
      maxUnavailable: amount(options['rollbackUnavailable'] ?? '20%'),
      windows: options['rollbackWindows'] === 'Ignore' ? 'Ignore' : 'Respect',
    },
    failureLimit: {
      firstWave: { max: amount(max ?? '0'), minAttempted: 1 },
      later: { max: amount(max ?? '2%'), minAttempted: 1 },
    },
    onFailure: { firstWave: onFailure ?? 'Rollback', later: onFailure ?? 'Pause' },
    deadlines: {
      downloadMs: time(options['download'] ?? '2h'),
      activateMs: time(options['activate'] ?? '20m'),
      healthMs: time(options['health'] ?? '10m'),
      waveMs: time(options['wave'] ?? '24h'),
    },
    health: {
      units: [],
      http: [],
      checks: ['web-up'],
      greenboot: false,
      reachController: false,
      stableForMs: 0,
    },
  }
}

function wavesOf(options: Readonly<Record<string, string>>): readonly Wave[] {
  const approvals = new Map((options['approval'] ?? '').split(',').map((each) => pairOf(each)))
  return (options['waves'] ?? 'canary:1,tenth:40%,rest:100%').split(',').map((written) => {
    const [name = '', upTo = '', soak = '0s'] = written.split(':')
    const expires = approvals.get(name)
    return {
      ...waveOf(name, amount(upTo), parseDuration(soak) ?? 0),
      successThresholdPercent: Number(options['threshold'] ?? 0),
      maxSkippedPercent: Number(options['skipped'] ?? 100),
      onEmpty: options['mayNotBeEmpty']?.split(',').includes(name) === true ? 'Block' : 'Skip',
      approval:
        expires === undefined
          ? null
          : { approvers: Number(options['approvers'] ?? 1), expiresAfterMs: parseDuration(expires) ?? 0 },
    }
  })
}

function pairOf(written: string): readonly [string, string] {
  const [name = '', value = ''] = written.split(':')
  return [name, value]
}

function analysesOf(written: string | undefined): readonly Analysis[] {
  if (written === undefined) return []
  return written.split(',').map((each) => {
    const [name = '', interval = '', limit = '0'] = each.split(':')
    return {
      name,
      provider: { kind: 'named', check: name },
      intervalMs: parseDuration(interval) ?? 0,
      failureLimit: Number(limit),
    }
  })
}

export function optionsOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string]),
  )
}
