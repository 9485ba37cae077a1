import { describe, expect, test } from 'vitest'
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

function refused(text: string): readonly string[] {
  const result = parseDesiredState([{ path: 'f.yaml', text }])
  return result.ok ? [] : result.issues.map((issue) => formatIssue(issue).split('\n')[0] ?? '')
}

test('every field of a wave is taken over, and the rest asks for nothing more', () => {
  const waves = strategyOf(`waves:
  - { name: canary, upTo: 1, soak: 2h, approval: { expiresAfter: 4h }, onEmpty: Skip }
  - { name: eu, upTo: 50%, selector: { matchLabels: { site: eu } }, successThreshold: 90%, maxSkippedShare: 5%, approval: {} }
  - { name: us, upTo: 50%, selector: { matchLabels: { site: us } }, onEmpty: Block, approval: { required: false } }
`)?.waves
  const ofSite = (site: string) => ({ kind: 'match', labels: { site }, expressions: [] })
  expect(waves).toEqual([
    {
      name: 'canary',
      upTo: { kind: 'count', count: 1 },
      selector: null,
      soakMs: 7_200_000,
      successThresholdPercent: 0,
      maxSkippedPercent: 20,
      onEmpty: 'Skip',
      approval: { approvers: 1, expiresAfterMs: 14_400_000 },
    },
    {
      name: 'eu',
      upTo: { kind: 'percent', percent: 50 },
      selector: ofSite('eu'),
      soakMs: 0,
      successThresholdPercent: 90,
      maxSkippedPercent: 5,
      onEmpty: 'Skip',
      approval: { approvers: 1, expiresAfterMs: 259_200_000 },
    },
    expect.objectContaining({ name: 'us', selector: ofSite('us'), onEmpty: 'Block', approval: null }),
    expect.objectContaining({ name: 'rest', selector: null, onEmpty: 'Skip', maxSkippedPercent: 20 }),
  ])
})

test('a wave of all that a selector narrows does not take the rest', () => {
  const all = 'waves: [{ name: all, upTo: 100%, selector: { all: true } }]'
  expect(strategyOf(all)?.waves.map(({ name }) => name)).toEqual(['all', 'rest'])
  expect(strategyOf('waves: [{ name: all, upTo: 100% }]')?.waves).toEqual([
    expect.objectContaining({ name: 'all', onEmpty: 'Block' }),
  ])
})

test('what holds in the first wave may be written apart', () => {
  const apart = strategyOf(
    'failureLimit: { max: 5% }\n  onFailure: Pause\n  firstWave: { failureLimit: { max: 1 }, onFailure: Rollback }',
  )
  expect(apart?.failureLimit.firstWave.max).toEqual({ kind: 'count', count: 1 })
  expect(apart?.failureLimit.later.max).toEqual({ kind: 'percent', percent: 5 })
  expect(apart?.onFailure).toEqual({ firstWave: 'Rollback', later: 'Pause' })
  expect(strategyOf('firstWave: { onFailure: Pause }')?.onFailure).toEqual({
    firstWave: 'Pause',
    later: 'Pause',
  })
})

const window = (written: string) => `windows: [{ kind: Allow, ${written} }]`
const analysis = (written: string) => `analysis: [{ name: a, ${written} }]`

describe('what is refused, and where', () => {
  test.each<readonly [string, string]>([
    [
      'waves: [{ name: a, upTo: 1, selector: {} }]',
      '5:41: spec.waves[0].selector: an empty selector is not allowed; every host is written { all: true }',
    ],
    [
      'waves: [{ name: a, upTo: 1, successThreshold: 90 }]',
      '5:49: spec.waves[0].successThreshold: 90 is not a percentage from 0% to 100% (for example "90%")',
    ],
    [
      'waves: [{ name: a, upTo: 1, maxSkippedShare: 101% }]',
      '5:48: spec.waves[0].maxSkippedShare: "101%" is not a percentage from 0% to 100% (for example "90%")',
    ],
    [
      'waves: [{ name: a, upTo: 1, onEmpty: block }]',
      '5:40: spec.waves[0].onEmpty: "block" is not one of Block, Skip; did you mean "Block"?',
    ],
    [
      'waves: [{ name: a, upTo: 1, approval: { expiresAfter: 0 } }]',
      '5:57: spec.waves[0].approval.expiresAfter: 0 is no time at all: write at least 1s',
    ],
    [
      'waves: [{ name: rest, upTo: 100%, selector: { all: true } }]',
      '5:19: spec.waves[0].name: "rest" is the wave of all remaining hosts: it needs upTo: 100% and no selector',
    ],
    ['firstWave: { failureLimit: {} }', '5:16: spec.firstWave.failureLimit.max: is required'],
    [
      analysis('provider: prometheus, query: up'),
      '5:14: spec.analysis[0].success: is required for provider "prometheus"',
    ],
    [
      analysis('provider: promethues, query: up'),
      '5:54: spec.analysis[0].query: has no meaning for provider "promethues"; did you mean "prometheus"?',
    ],
    [
      analysis('provider: http, url: "ftp://x/"'),
      '5:46: spec.analysis[0].url: "ftp://x/" is not an address to ask: http:// or https://, then host, port and path, at most 2048 characters, without user, password and "#"',
    ],
    [
      analysis('provider: prometheus, query: up, success: 0.01'),
      '5:67: spec.analysis[0].success: 0.01 is not a comparison: <, <=, >, >=, == or !=, then a number, in quotes (for example "< 0.01")',
    ],
    [analysis('provider: tills, interval: 5s'), '5:52: spec.analysis[0].interval: is less than 10s'],
    [
      'analysis: [{ name: a, provider: x }, { name: a, provider: y }]',
      '5:48: spec.analysis[1].name: a second analysis "a"',
    ],
    ['rate: { factor: 2 }', '5:3: spec.rate.basePerMinute: is required'],
    ['rate: { basePerMinute: 5, factor: 0.5 }', '5:37: spec.rate.factor: 0.5 is less than 1'],
    [
      'rate: { basePerMinute: 5, maxPerMinute: 4 }',
      '5:43: spec.rate.maxPerMinute: is less than basePerMinute',
    ],
    ['rollback: { scope: All }', '5:22: spec.rollback.scope: "All" is not one of UpdatedHosts, FailedOnly'],
    [
      'rollback: { maxUnavailable: 0 }',
      '5:31: spec.rollback.maxUnavailable: 0 is no host at all: write at least 1',
    ],
    [
      'budgets: [{ topologyKey: a, maxUnavailable: 1 }, { topologyKey: a, maxUnavailable: 2 }]',
      '5:67: spec.budgets[1].topologyKey: a second budget for "a"',
    ],
    ['downloads: { maxConcurrent: 0 }', '5:31: spec.downloads.maxConcurrent: 0 is less than 1'],
    [
      'downloads: { prefetch: nextwave }',
      '5:26: spec.downloads.prefetch: "nextwave" is not one of NextWave, None; did you mean "NextWave"?',
    ],
    [
      window('start: 25:00, duration: 1h, timeZone: UTC'),
      '5:35: spec.windows[0].start: "25:00" is not a time of day from "00:00" to "23:59", in quotes',
    ],
    [
      window('start: "22:00", duration: 8d, timeZone: UTC'),
      '5:54: spec.windows[0].duration: is longer than a week, so that it would never end',
    ],
    [
      window('start: "22:00", duration: 1h, timeZone: Europe/Berln'),
      '5:68: spec.windows[0].timeZone: "Europe/Berln" is not the name of a time zone (for example Europe/Berlin or UTC); did you mean "Europe/Berlin"?',
    ],
    [
      window('start: "22:00", duration: 29m, timeZone: UTC'),
      '5:54: spec.windows[0].duration: is shorter than deadlines.activate and deadlines.health together (30m), so that no activation could end inside it',
    ],
    [window('start: "22:00", duration: 1h'), '5:13: spec.windows[0].timeZone: is required'],
    [
      window('days: [Samstag], start: "22:00", duration: 1h, timeZone: UTC'),
      '5:35: spec.windows[0].days[0]: "Samstag" is not one of Mon, Tue, Wed, Thu, Fri, Sat, Sun',
    ],
    [
      window('days: [], start: "22:00", duration: 1h, timeZone: UTC'),
      '5:34: spec.windows[0].days: an empty list would never be met: write one or more of Mon, Tue, Wed, Thu, Fri, Sat, Sun, or leave it out',
    ],
    [
      window('actions: [Reboot], start: "22:00", duration: 1h, timeZone: UTC'),
      '5:38: spec.windows[0].actions[0]: "Reboot" is not one of Download, Activate',
    ],
    ['retry: { limit: 11 }', '5:19: spec.retry.limit: 11 is more than 10'],
    [
      'retry: { on: [Downlod] }',
      '5:17: spec.retry.on[0]: "Downlod" is not one of Download, Stage; did you mean "Download"?',
    ],
    ['retry: { backoff: { max: 30s } }', '5:28: spec.retry.backoff.max: is less than base'],
  ])('%s', (spec, expected) => {
    expect(refused(strategy(spec))).toEqual([`f.yaml:${expected}`])
  })

  test('a strategy of the built-in name, unless it says what the built-in one says', () => {
    expect(refused(strategy('downloads: {}', 'default'))).toEqual([])
    expect(refused(strategy('downloads: { maxConcurrent: 1 }', 'default'))).toEqual([
      'f.yaml:3:19: metadata.name: "default" is the name of the built-in strategy; take another',
    ])
  })
})
