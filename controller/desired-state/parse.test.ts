import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIssue } from './issue.ts'
import { parseDesiredState } from './parse.ts'
import type { DesiredState, Strategy } from './types.ts'

const digest = `sha256:${'a'.repeat(64)}`
const head = (kind: string, name: string) =>
  `apiVersion: bootfleet.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n`
const image = `  image: { repository: registry.example/os/edge, digest: "${digest}" }\n`
const fleet = (rest = '', name = 'edge') => `${head('Fleet', name)}  selector: { all: true }\n${image}${rest}`
const strategy = (spec: string, name = 'careful') => `${head('RolloutStrategy', name)}${spec}`

function accepted(...texts: string[]): DesiredState {
  const result = parseDesiredState(texts.map((text, index) => ({ path: `f${index}.yaml`, text })))
  if (!result.ok) throw new Error(result.issues.map(formatIssue).join('\n'))
  return result.desiredState
}

/** The head lines only: `line:column: message; suggestion`. */
function refused(...texts: string[]): string[] {
  const result = parseDesiredState(texts.map((text, index) => ({ path: `f${index}.yaml`, text })))
  return result.ok ? [] : result.issues.map((issue) => formatIssue(issue).split('\n')[0] ?? '')
}

function strategyOf(spec: string): Strategy | undefined {
  return accepted(strategy(spec), fleet('  strategy: careful\n')).fleets[0]?.strategy
}

const nothing: DesiredState = { fleets: [], hosts: [], freezes: [], removable: [] }
const plainWave = {
  selector: null,
  soakMs: 0,
  successThresholdPercent: 0,
  maxSkippedPercent: 20,
  onEmpty: 'Skip',
  approval: null,
}
const plainLimits = {
  analysis: [],
  rate: null,
  rollback: { scope: 'UpdatedHosts', maxUnavailable: { kind: 'percent', percent: 20 }, windows: 'Respect' },
  budgets: [],
  downloads: { maxConcurrent: 50, prefetch: 'NextWave' },
  windows: [],
  retry: {
    limit: 2,
    on: ['Download', 'Stage'],
    backoff: { baseMs: 60_000, factor: 2, maxMs: 1_800_000 },
  },
}

describe('a whole commit', () => {
  test('the smallest fleet gets every default written out', () => {
    expect(accepted(fleet())).toEqual({
      fleets: [
        {
          name: 'edge',
          selector: { kind: 'all' },
          image: { kind: 'digest', repository: 'registry.example/os/edge', digest },
          verify: null,
          lint: 'Off',
          suspend: false,
          requires: [],
          downgrade: 'Deny',
          deny: [],
          declaredAt: { path: 'f0.yaml', line: 1 },
          strategy: {
            name: 'default',
            waves: [
              { ...plainWave, name: 'canary', upTo: { kind: 'count', count: 1 }, onEmpty: 'Block' },
              { ...plainWave, name: 'tenth', upTo: { kind: 'percent', percent: 10 } },
              { ...plainWave, name: 'rest', upTo: { kind: 'percent', percent: 100 } },
            ],
            maxUnavailable: { kind: 'percent', percent: 10 },
            failureLimit: {
              firstWave: { max: { kind: 'count', count: 0 }, minAttempted: 1 },
              later: { max: { kind: 'percent', percent: 2 }, minAttempted: 1 },
            },
            onFailure: { firstWave: 'Rollback', later: 'Pause' },
            deadlines: {
              downloadMs: 7_200_000,
              activateMs: 1_200_000,
              healthMs: 600_000,
              waveMs: 86_400_000,
            },
            health: {
              units: [],
              http: [],
              checks: [],
              greenboot: true,
              reachController: true,
              stableForMs: 0,
            },
            ...plainLimits,
          },
        },
      ],
      hosts: [],
      freezes: [],
      removable: [],
    })
  })

  test('every field of a strategy that is written is taken over', () => {
    const spec = `  waves: [{ name: half, upTo: 50%, soak: 1h30m }, { name: rest, upTo: 100% }]
  maxUnavailable: 0
  failureLimit: { max: 3, minAttempted: 7 }
  onFailure: Pause
  deadlines: { download: 1h, activate: 2m, health: 90s, wave: 2d }
  health:
    units: [sshd.service, getty@tty1.service]
    http: [{ url: http://127.0.0.1:8080/healthz }]
    checks: [web-up]
    greenboot: false
    reachController: false
    stableFor: 30s
`
    expect(strategyOf(spec)).toEqual({
      name: 'careful',
      waves: [
        {
          ...plainWave,
          name: 'half',
          upTo: { kind: 'percent', percent: 50 },
          soakMs: 5_400_000,
          onEmpty: 'Block',
        },
        { ...plainWave, name: 'rest', upTo: { kind: 'percent', percent: 100 } },
      ],
      maxUnavailable: { kind: 'count', count: 0 },
      failureLimit: {
        firstWave: { max: { kind: 'count', count: 3 }, minAttempted: 1 },
        later: { max: { kind: 'count', count: 3 }, minAttempted: 7 },
      },
      onFailure: { firstWave: 'Pause', later: 'Pause' },
      deadlines: { downloadMs: 3_600_000, activateMs: 120_000, healthMs: 90_000, waveMs: 172_800_000 },
      health: {
        units: ['sshd.service', 'getty@tty1.service'],
        http: [{ url: 'http://127.0.0.1:8080/healthz' }],
        checks: ['web-up'],
        greenboot: false,
        reachController: false,
        stableForMs: 30_000,
      },
      ...plainLimits,
    })
    const otherLimit = strategyOf('  failureLimit: { minAttempted: 2 }\n  health: {}\n  deadlines: {}\n')
    expect(otherLimit?.failureLimit.firstWave).toEqual({ max: { kind: 'count', count: 0 }, minAttempted: 1 })
    expect(otherLimit?.health).toMatchObject({ checks: [], greenboot: true, stableForMs: 0 })
  })

  test('fleets are sorted by name, whatever the order of files and documents', () => {
    const texts = [
      `${fleet('', 'b')}---\n${fleet('', 'a')}`,
      `# only a comment\n---\n${fleet('  suspend: true\n', 'c')}`,
    ]
    const paths = ['z.yaml', 'a.yaml']
    const files = texts.map((text, index) => ({ path: String(paths[index]), text }))
    const result = parseDesiredState(files)
    expect(result).toEqual(parseDesiredState(files.toReversed()))
    expect(
      result.ok && result.desiredState.fleets.map(({ name, declaredAt }) => [name, declaredAt.line]),
    ).toEqual([
      ['a', 8],
      ['b', 1],
      ['c', 3],
    ])
    expect(accepted()).toEqual(nothing)
    expect(accepted('', '# x\n', '---\n---\n...\n', '%YAML 1.2\n')).toEqual(nothing)
  })

  test('a fleet may follow a tag', () => {
    const followed = fleet().replace(/digest: .*"/, 'tag: stable')
    const expected = { kind: 'tag', repository: 'registry.example/os/edge', tag: 'stable', minimumAgeMs: 0 }
    expect(accepted(followed).fleets[0]?.image).toEqual(expected)
  })

  test('anchors and aliases are followed, and a mistake behind one is found where it is written', () => {
    const two = 'a: &sel { matchLabels: { site: eu } }'
    const text = `${head('Fleet', 'edge')}  selector: { matchExpressions: [{ key: &k site, operator: In, values: [*k] }] }\n${image}`
    expect(accepted(text).fleets[0]?.selector).toEqual({
      kind: 'match',
      labels: {},
      expressions: [{ key: 'site', operator: 'In', values: ['site'] }],
    })
    expect(refused(two)).toHaveLength(1)
    const waves = `  waves: [&w { name: a, upTo: 1 }, *w]\n`
    expect(refused(strategy(waves))).toEqual([
      'f0.yaml:5:22: spec.waves[1].name: a second wave "a"',
      'f0.yaml:5:31: spec.waves[1].upTo: reaches no host beyond wave "a"; upTo is cumulative',
    ])
  })
})

test('no text makes it throw, and a refusal always says why and where', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((junk) => fleet(`  ${junk}\n`)),
        fc.json(),
      ),
      (text) => {
        const result = parseDesiredState([{ path: 'x.yaml', text }])
        if (result.ok) return
        expect(result.issues.length).toBeGreaterThan(0)
        for (const issue of result.issues) {
          expect(issue.line).toBeGreaterThan(0)
          expect(issue.column).toBeGreaterThan(0)
          expect(issue.message).not.toMatch(/[\p{Cc}]/u)
        }
      },
    ),
  )
})
