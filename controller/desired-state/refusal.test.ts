import { describe, expect, test } from 'vitest'
import { formatIssue } from './issue.ts'
import { maxIssues, parseDesiredState } from './parse.ts'

const digest = `sha256:${'a'.repeat(64)}`
const head = (kind: string, name: string) =>
  `apiVersion: bootfleet.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n`
const image = `  image: { repository: registry.example/os/edge, digest: "${digest}" }\n`
const fleet = (rest = '', name = 'edge') => `${head('Fleet', name)}  selector: { all: true }\n${image}${rest}`
const fleetSelecting = (selector: string) => `${head('Fleet', 'edge')}  selector: ${selector}\n${image}`
const fleetOf = (written: string) =>
  `${head('Fleet', 'edge')}  selector: { all: true }\n  image: ${written}\n`
const strategy = (spec: string, name = 'careful') => `${head('RolloutStrategy', name)}${spec}`

/** The head lines only: `line:column: message; suggestion`. */
function refused(...texts: string[]): string[] {
  const result = parseDesiredState(texts.map((text, index) => ({ path: `f${index}.yaml`, text })))
  return result.ok ? [] : result.issues.map((issue) => formatIssue(issue).split('\n')[0] ?? '')
}

describe('what is refused, and where', () => {
  test.each<[string, string, string]>([
    [
      'an unknown field',
      fleet('  strateggy: x\n'),
      '7:3: spec.strateggy: unknown field; did you mean "strategy"?',
    ],
    ['a later field', fleet('  lint: Enforce\n'), '7:3: spec.lint: unknown field'],
    ['an unknown kind', head('Fleeet', 'x'), '2:7: kind: "Fleeet" is not known; did you mean "Fleet"?'],
    [
      'a kind of something else',
      head('ConfigMap', 'x'),
      '2:7: kind: "ConfigMap" is not known; known kinds: Fleet, RolloutStrategy, Host, Freeze',
    ],
    [
      'no kind',
      'apiVersion: bootfleet.dev/v1alpha1\n',
      '1:1: kind: is required; known kinds: Fleet, RolloutStrategy, Host, Freeze',
    ],
    [
      'no apiVersion',
      'kind: Fleet\n',
      '1:1: apiVersion: is required; write apiVersion: bootfleet.dev/v1alpha1',
    ],
    ['a scalar', 'hello\n', '1:1: apiVersion: is required; write apiVersion: bootfleet.dev/v1alpha1'],
    [
      'another apiVersion',
      'apiVersion: v1\nkind: Fleet\n',
      '1:13: apiVersion: "v1" is not known; write apiVersion: bootfleet.dev/v1alpha1',
    ],
    [
      'no strategy of that name',
      fleet('  strategy: defalt\n'),
      '7:13: spec.strategy: there is no RolloutStrategy "defalt"; did you mean "default"?',
    ],
    [
      'an empty selector',
      fleetSelecting('{}'),
      '5:13: spec.selector: an empty selector is not allowed; every host is written { all: true }',
    ],
    [
      'all and more',
      fleetSelecting('{ all: true, matchLabels: { a: b } }'),
      '5:13: spec.selector: "all" takes in every host: remove it, or the other conditions',
    ],
    ['all: false', fleetSelecting('{ all: false }'), '5:20: spec.selector.all: false is not true'],
    ['a list as selector', fleetSelecting('[]'), '5:13: spec.selector: a list is not a map'],
    [
      'In without values',
      fleetSelecting('{ matchExpressions: [{ key: a, operator: In }] }'),
      '5:34: spec.selector.matchExpressions[0].values: In needs at least one value',
    ],
    [
      'Exists with values',
      fleetSelecting('{ matchExpressions: [{ key: a, operator: Exists, values: [b] }] }'),
      '5:70: spec.selector.matchExpressions[0].values: Exists takes no values',
    ],
    [
      'an operator in the wrong case',
      fleetSelecting('{ matchExpressions: [{ key: a, operator: exists }] }'),
      '5:54: spec.selector.matchExpressions[0].operator: "exists" is not one of In, NotIn, Exists, DoesNotExist; did you mean "Exists"?',
    ],
    [
      'a bad label key',
      fleetSelecting('{ matchLabels: { "a b": c } }'),
      '5:30: spec.selector.matchLabels["a b"]: "a b" is not a label key (for example site or example.org/site)',
    ],
    [
      'digest and tag',
      fleetOf(`{ repository: r.example/a, tag: b, digest: "${digest}" }`),
      '6:10: spec.image: exactly one of digest, tag, semver and from is needed, found digest and tag',
    ],
    [
      'neither digest nor tag',
      fleetOf('{ repository: r.example/a }'),
      '6:10: spec.image: exactly one of digest, tag, semver and from is needed, found none',
    ],
    ['no image', `${head('Fleet', 'edge')}  selector: { all: true }\n`, '4:1: spec.image: is required'],
    [
      'an amount',
      strategy('  waves:\n  - { name: tenth, upTo: 10 % }\n'),
      '6:26: spec.waves[0].upTo: "10 %" is neither a count nor a percentage (for example 10 or "10%")',
    ],
    [
      'a wave of none',
      strategy('  waves: [{ name: a, upTo: 0 }]\n'),
      '5:28: spec.waves[0].upTo: 0 is no host at all: write at least 1',
    ],
    [
      'a wave of no share',
      strategy('  waves: [{ name: a, upTo: 0% }]\n'),
      '5:28: spec.waves[0].upTo: 0 is no host at all: write at least 1',
    ],
    [
      'waves that shrink',
      strategy('  waves: [{ name: a, upTo: 20% }, { name: c, upTo: 3 }, { name: b, upTo: 10% }]\n'),
      '5:74: spec.waves[2].upTo: reaches no host beyond wave "a"; upTo is cumulative',
    ],
    [
      'a wave after all',
      strategy('  waves: [{ name: a, upTo: 100% }, { name: b, upTo: 5 }]\n'),
      '5:53: spec.waves[1].upTo: reaches no host beyond wave "a"; upTo is cumulative',
    ],
    [
      'a rest that is not all',
      strategy('  waves: [{ name: rest, upTo: 5 }]\n'),
      '5:19: spec.waves[0].name: "rest" is the wave of all remaining hosts: it needs upTo: 100% and no selector',
    ],
    ['no wave', strategy('  waves: []\n'), '5:10: spec.waves: at least one wave is needed'],
    [
      'a deadline of 0',
      strategy('  deadlines: { wave: 0 }\n'),
      '5:22: spec.deadlines.wave: 0 is no time at all: write at least 1s',
    ],
    [
      'a duration without unit',
      strategy('  deadlines: { wave: 5 }\n'),
      '5:22: spec.deadlines.wave: 5 is not a duration of at most 366 days (for example 90s, 20m, 1h30m or 2d)',
    ],
    [
      'the built-in name',
      strategy('  onFailure: Pause\n', 'default'),
      '3:19: metadata.name: "default" is the name of the built-in strategy; take another',
    ],
    [
      'a syntax error',
      'a: [1\nb: 2\n',
      '2:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['an unknown tag', 'a: !run x\n', '1:4: not valid YAML: Unresolved tag: !run'],
    ['a key twice', 'a: 1\nb: { c: 1, c: 2 }\n', '2:12: "c" is written twice'],
    [
      '__proto__',
      fleetSelecting('{ matchLabels: { __proto__: { x: y } } }'),
      '5:30: "__proto__" cannot be a key',
    ],
  ])('%s', (_, text, expected) => {
    expect(refused(text)).toContain(`f0.yaml:${expected}`)
  })

  test('a key without a value, at the key', () => {
    expect(refused(fleetOf('{ repository, tag: x }'))[0]).toMatch(
      /^f0.yaml:6:12: spec.image.repository: nothing is not/,
    )
  })

  test('only labels a host reports about itself', () => {
    const message = 'only labels under host.bootfleet.dev/'
    expect(refused(fleetSelecting('{ matchLabels: { host.bootfleet.dev/arch: amd64 } }'))[0]).toContain(
      message,
    )
    const mixed = '{ matchLabels: { host.bootfleet.dev/arch: amd64, site: eu } }'
    expect(refused(fleetSelecting(mixed))).toEqual([])
  })

  test('an alias bomb ends at once', () => {
    const layers = Array.from(
      { length: 30 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
    )
    expect(refused(`l0: &l0 x\n${layers.join('\n')}\n`)[0]).toContain('Excessive alias count')
  })

  test.each(['[', '[\n', '- ', '{a: ', '? ', '&a - ', '[#]\n'])(
    '%j nested without end is an issue, not a crash',
    (opening) => {
      expect(refused(opening.repeat(50_000))[0]).toMatch(/^f0.yaml:[0-9]+:[0-9]+: not valid YAML: /)
    },
  )

  test('the second of two of a name, naming the first', () => {
    expect(refused(fleet(), `\n${fleet()}`)).toEqual([
      'f1.yaml:4:19: metadata.name: a second Fleet "edge"; the first is at f0.yaml:1',
    ])
  })

  test('no missing strategy is reported when the strategy itself is what is wrong', () => {
    expect(refused(strategy('  onFailure: Panic\n'), fleet('  strategy: careful\n'))).toEqual([
      'f0.yaml:5:14: spec.onFailure: "Panic" is not one of Pause, Rollback',
    ])
  })

  test('a name that is no string', () => {
    expect(refused(fleet('', '12'))[0]).toContain('metadata.name: 12 is not a name')
  })

  test('an unbounded number of mistakes gives a bounded number of issues', () => {
    const many = Array.from({ length: 200 }, () => fleet()).join('---\n')
    expect(refused(many)).toHaveLength(maxIssues)
    expect(refused(Array.from({ length: 200 }, (_, i) => `k${i}: 1\nk${i}: 1\n`).join(''))).toHaveLength(
      maxIssues,
    )
  })

  test("an error reads like a compiler's", () => {
    const result = parseDesiredState([
      {
        path: 'fleets/edge.yaml',
        text: strategy('  waves:\n  - { name: a, upTo: 1 }\n  - { name: tenth, upTo: 10 % }\n'),
      },
    ])
    expect(result.ok ? '' : result.issues.map(formatIssue).join('\n')).toBe(`\
fleets/edge.yaml:7:26: spec.waves[1].upTo: "10 %" is neither a count nor a percentage (for example 10 or "10%")
  5 |   waves:
  6 |   - { name: a, upTo: 1 }
> 7 |   - { name: tenth, upTo: 10 % }
    |                          ^
  8 |`)
  })
})
