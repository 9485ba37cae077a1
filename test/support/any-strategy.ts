import * as fc from 'fast-check'
import type { Amount, Analysis, Strategy, Wave, Window } from '../../controller/desired-state/types.ts'
import {
  amount,
  byName,
  duration,
  label,
  name,
  names,
  percentage,
  seconds,
  selector,
  subset,
} from './any-words.ts'

const wave: fc.Arbitrary<Wave> = fc.record({
  name: name.filter((each) => each !== 'rest'),
  upTo: amount,
  // One wave with a selector never makes the next one unreachable, whatever the sizes are.
  selector,
  soakMs: fc.oneof(fc.constant(0), duration),
  successThresholdPercent: percentage,
  maxSkippedPercent: percentage,
  onEmpty: fc.constantFrom('Block', 'Skip'),
  approval: fc.option(fc.record({ approvers: fc.integer({ min: 1, max: 8 }), expiresAfterMs: duration })),
})

const analysis: fc.Arbitrary<Analysis> = fc.record({
  name,
  provider: fc.oneof(
    fc.record({
      kind: fc.constant('prometheus' as const),
      query: fc.string({ minLength: 1, maxLength: 40 }),
      success: fc.record({
        operator: fc.constantFrom('<', '<=', '>', '>=', '==', '!='),
        value: fc.constantFrom(0, 1, -1, 0.01, 1e-7, -2.5, 123456789, 1e15),
      }),
    }),
    fc.record({ kind: fc.constant('http' as const), url: fc.constant('https://h.example:8443/x?y=1') }),
    fc.record({ kind: fc.constant('named' as const), check: name.filter((each) => each !== 'http') }),
  ),
  intervalMs: seconds(10, 90_000),
  failureLimit: fc.integer({ min: 0, max: 1000 }),
})

const window: fc.Arbitrary<Window> = fc.record({
  kind: fc.constantFrom('Allow', 'Deny'),
  days: subset(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const),
  startMinute: fc.integer({ min: 0, max: 1439 }),
  durationMs: seconds(99_000, 7 * 86_400),
  timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires'),
  actions: subset(['Download', 'Activate'] as const),
})

export const strategy: fc.Arbitrary<Strategy> = fc.record({
  name: name.filter((each) => each !== 'default'),
  waves: byName(wave).map((waves): Wave[] => [...waves, restWave]),
  maxUnavailable: fc.oneof(fc.constant<Amount>({ kind: 'count', count: 0 }), amount),
  failureLimit: fc.record({
    firstWave: fc.record({ max: amount, minAttempted: fc.constant(1) }),
    later: fc.record({ max: amount, minAttempted: fc.integer({ min: 1, max: 1_000_000 }) }),
  }),
  onFailure: fc.record({
    firstWave: fc.constantFrom('Pause', 'Rollback'),
    later: fc.constantFrom('Pause', 'Rollback'),
  }),
  deadlines: fc.record({
    downloadMs: duration,
    activateMs: duration,
    healthMs: seconds(1000, 9000),
    waveMs: duration,
  }),
  health: fc.record({
    units: fc.constantFrom([], ['sshd.service', 'dev-disk\\x2dby.mount']),
    http: fc.constantFrom([], [{ url: 'http://127.0.0.1:8080/#'.slice(0, -1) }]),
    checks: fc.array(name, names),
    greenboot: fc.boolean(),
    reachController: fc.boolean(),
    stableForMs: seconds(0, 999),
  }),
  analysis: byName(analysis),
  rate: fc.option(
    fc.record({
      basePerMinute: fc.integer({ min: 1, max: 100 }),
      factor: fc.constantFrom(1, 1.5, 10),
      maxPerMinute: fc.integer({ min: 100, max: 1_000_000 }),
    }),
  ),
  rollback: fc.record({
    scope: fc.constantFrom('UpdatedHosts', 'FailedOnly'),
    maxUnavailable: amount,
    windows: fc.constantFrom('Respect', 'Ignore'),
  }),
  budgets: fc.uniqueArray(fc.record({ topologyKey: label, maxUnavailable: amount }), {
    maxLength: 3,
    selector: ({ topologyKey }) => topologyKey,
  }),
  downloads: fc.record({
    maxConcurrent: fc.integer({ min: 1, max: 100_000 }),
    prefetch: fc.constantFrom('NextWave', 'None'),
  }),
  windows: fc.array(window, { maxLength: 3 }),
  retry: fc.record({
    limit: fc.integer({ min: 0, max: 10 }),
    on: subset(['Download', 'Stage'] as const),
    backoff: fc.record({
      baseMs: seconds(1, 60),
      factor: fc.constantFrom(1, 2.25),
      maxMs: seconds(60, 6000),
    }),
  }),
})

const restWave: Wave = {
  name: 'rest',
  upTo: { kind: 'percent', percent: 100 },
  selector: null,
  soakMs: 0,
  successThresholdPercent: 90,
  maxSkippedPercent: 20,
  onEmpty: 'Skip',
  approval: null,
}
