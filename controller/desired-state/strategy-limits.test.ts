import { expect, test } from 'vitest'
import { formatIssue } from './issue.ts'
import { parseDesiredState } from './parse.ts'
import type { Strategy } from './types.ts'

const strategy = (spec: string, name = 'careful') =>
  `apiVersion: bootfleet.dev/v1alpha1\nkind: RolloutStrategy\nmetadata: { name: ${name} }\nspec:\n  ${spec}\n`
const fleet = `---
apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec: { selector: { all: true }, image: { repository: r.example/os, tag: stable }, strategy: careful }
`

function strategyOf(spec: string): Strategy | undefined {
  const result = parseDesiredState([{ path: 'f.yaml', text: strategy(spec) + fleet }])
  if (!result.ok) throw new Error(result.issues.map(formatIssue).join('\n'))
  return result.desiredState.fleets[0]?.strategy
}

test('every limit that is written is taken over', () => {
  expect(
    strategyOf(`analysis:
  - { name: errors, provider: prometheus, query: "rate(x[5m])", success: "< 0.01", interval: 1m, failureLimit: 1 }
  - { name: up, provider: http, url: "https://status.example/api?x=1" }
  - { name: till-check, provider: tills }
  rate: { basePerMinute: 5, factor: 1.5, maxPerMinute: 90 }
  rollback: { scope: FailedOnly, maxUnavailable: 3, windows: Ignore }
  budgets: [{ topologyKey: rack, maxUnavailable: 1 }]
  downloads: { maxConcurrent: 7, prefetch: None }
  windows:
  - { kind: Allow, days: [Sun, Sat, Sun], start: "22:00", duration: 4h, timeZone: Europe/Berlin, actions: [Activate, Download] }
  - { kind: Deny, start: "00:30", duration: 7d, timeZone: UTC }
  retry: { limit: 0, on: [Stage], backoff: { base: 2m, factor: 3, max: 5m } }`),
  ).toMatchObject({
    analysis: [
      {
        name: 'errors',
        provider: { kind: 'prometheus', query: 'rate(x[5m])', success: { operator: '<', value: 0.01 } },
        intervalMs: 60_000,
        failureLimit: 1,
      },
      {
        name: 'up',
        provider: { kind: 'http', url: 'https://status.example/api?x=1' },
        intervalMs: 300_000,
        failureLimit: 0,
      },
      { name: 'till-check', provider: { kind: 'named', check: 'tills' } },
    ],
    rate: { basePerMinute: 5, factor: 1.5, maxPerMinute: 90 },
    rollback: { scope: 'FailedOnly', maxUnavailable: { kind: 'count', count: 3 }, windows: 'Ignore' },
    budgets: [{ topologyKey: 'rack', maxUnavailable: { kind: 'count', count: 1 } }],
    downloads: { maxConcurrent: 7, prefetch: 'None' },
    windows: [
      {
        kind: 'Allow',
        days: ['Sat', 'Sun'],
        startMinute: 1320,
        durationMs: 14_400_000,
        timeZone: 'Europe/Berlin',
        actions: ['Download', 'Activate'],
      },
      {
        kind: 'Deny',
        days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
        startMinute: 30,
        durationMs: 604_800_000,
        timeZone: 'UTC',
        actions: ['Activate'],
      },
    ],
    retry: { limit: 0, on: ['Stage'], backoff: { baseMs: 120_000, factor: 3, maxMs: 300_000 } },
  })
  expect(strategyOf('rate: { basePerMinute: 500 }')?.rate).toEqual({
    basePerMinute: 500,
    factor: 2,
    maxPerMinute: 500,
  })
  expect(strategyOf('retry: { backoff: { base: 1h } }')?.retry.backoff.maxMs).toBe(3_600_000)
})
