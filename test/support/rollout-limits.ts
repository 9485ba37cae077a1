import { parseAmount } from '../../controller/desired-state/amount.ts'
import { parseDuration } from '../../controller/desired-state/duration.ts'
import { withDefaults } from '../../controller/desired-state/strategy-defaults.ts'
import type { Amount, Freeze, Strategy, Weekday, Window } from '../../controller/desired-state/types.ts'
import { startMs } from './rollout-world.ts'

type Options = Readonly<Record<string, string>>

/**
 * budgets=site:1,rack:50% downloads=2 prefetch=NextWave rate=5*2/200 retry=1:1m rollbackWindows=Ignore
 * windows=Allow_Fri+Sat_22:00_4h_Activate_Europe/Berlin;Deny_…
 */
export function limitsFrom(options: Options): Partial<Strategy> {
  const { downloads, retry, rollback } = withDefaults('any', {})
  const { budgets, prefetch, rate, windows } = options
  const [limit = '', base = '1m'] = (options['retry'] ?? `${retry.limit}`).split(':')
  return {
    name: options['name'] ?? 'test',
    budgets: listOf(budgets, ',').map((written) => {
      const [topologyKey = '', max = ''] = written.split(':')
      return { topologyKey, maxUnavailable: amount(max) }
    }),
    downloads: {
      maxConcurrent: Number(options['downloads'] ?? downloads.maxConcurrent),
      prefetch: prefetch === 'NextWave' ? 'NextWave' : 'None',
    },
    rate: rate === undefined ? null : rateFrom(rate),
    retry: {
      ...retry,
      limit: Number(limit),
      backoff: { ...retry.backoff, baseMs: parseDuration(base) ?? 0 },
    },
    rollback: { ...rollback, windows: options['rollbackWindows'] === 'Ignore' ? 'Ignore' : 'Respect' },
    windows: listOf(windows, ';').map(windowFrom),
  }
}

export function amount(value: string): Amount {
  return parseAmount(/^\d+$/.test(value) ? Number(value) : value) as Amount
}

function listOf(written: string | undefined, separator: string): readonly string[] {
  return written === undefined ? [] : written.split(separator)
}

function rateFrom(written: string): NonNullable<Strategy['rate']> {
  const [base = 1, factor = 1, max = 1] = written.split(/[*/]/).map(Number)
  return { basePerMinute: base, factor, maxPerMinute: max }
}

function windowFrom(written: string): Window {
  const [kind = '', days = '', start = '', lasts = '', actions = '', ...zone] = written.split('_')
  const [hour = 0, minute = 0] = start.split(':').map(Number)
  const daily: readonly Weekday[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
  return {
    kind: kind as Window['kind'],
    days: days === 'daily' ? daily : (days.split('+') as Weekday[]),
    startMinute: hour * 60 + minute,
    durationMs: parseDuration(lasts) ?? 0,
    timeZone: zone.join('_'),
    actions: actions.split('+') as Window['actions'],
  }
}

/** freeze christmas 1h 3h site=berlin except=careful: from and to, counted from the beginning of the scenario. */
export function freezeFrom(words: readonly string[], options: Options): Freeze {
  const [name = '', from = '', to = ''] = words
  const { except, ...labels } = options
  const selects = Object.keys(labels).length > 0
  return {
    name,
    fromMs: startMs + (parseDuration(from) ?? 0),
    toMs: startMs + (parseDuration(to) ?? 0),
    selector: selects ? { kind: 'match', labels, expressions: [] } : { kind: 'all' },
    except: listOf(except, ','),
  }
}
