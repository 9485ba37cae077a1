import { readFile } from 'node:fs/promises'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAmount, sizeOf } from './amount.ts'
import { canonicalJson } from './canonical-json.ts'
import { codeFrame } from './code-frame.ts'
import { parseDuration } from './duration.ts'
import { formatImageReference, parseImageReference, splitRepository } from './image-reference.ts'
import { formatFieldPath, formatIssue, quote } from './issue.ts'
import { jsonSchema } from './json-schema.ts'
import { matchesSelector } from './label-selector.ts'
import { parseDesiredState } from './parse.ts'
import { canonicalRevisionInput } from './revision.ts'
import { closest } from './spelling.ts'
import type { Selector } from './types.ts'

test.each([
  [0, 0],
  ['2h', 7_200_000],
  ['90s', 90_000],
  ['5m', 300_000],
  ['1d', 86_400_000],
  ['1h30m', 5_400_000],
  ['0s', 0],
  [1, null],
  ['', null],
  ['1', null],
  ['30m1h', null],
  ['1.5h', null],
  ['-1h', null],
  ['400d', null],
  ['1 h', null],
])('the duration %j is %j ms', (written, expected) => {
  expect(parseDuration(written)).toBe(expected)
})

test.each([
  [1, { kind: 'count', count: 1 }],
  [0, { kind: 'count', count: 0 }],
  ['10%', { kind: 'percent', percent: 10 }],
  ['100%', { kind: 'percent', percent: 100 }],
  ['101%', null],
  ['010%', null],
  ['1.5%', null],
  ['10', null],
  [-1, null],
  [1.5, null],
  [Number.NaN, null],
  [1_000_001, null],
])('the amount %j is %j', (written, expected) => {
  expect(parseAmount(written)).toEqual(expected)
})

test('a written 0 is none, any other share of a fleet is at least one host when rounding up', () => {
  const percent = fc.integer({ min: 0, max: 100 })
  fc.assert(
    fc.property(percent, fc.integer({ min: 0, max: 1_000_000 }), (share, population) => {
      const up = sizeOf({ kind: 'percent', percent: share }, population, 'up-at-least-one')
      const down = sizeOf({ kind: 'percent', percent: share }, population, 'down')
      expect(down * 100).toBeLessThanOrEqual(share * population)
      expect((down + 1) * 100).toBeGreaterThan(share * population)
      expect(up).toBe(down * 100 === share * population ? down : down + 1)
      if (share > 0 && population > 0) expect(up).toBeGreaterThan(0)
    }),
  )
  expect(sizeOf({ kind: 'count', count: 0 }, 5, 'up-at-least-one')).toBe(0)
  expect(sizeOf({ kind: 'count', count: 9 }, 5, 'down')).toBe(5)
})

const digest = `sha256:${'0a'.repeat(32)}`
test.each([
  `registry.example/os/edge@${digest}`,
  'registry.example/os/edge:1.0',
  'localhost/a:b',
  'localhost:5000/a/b:b',
  '[::1]:5000/a:b',
  'builder:5000/a__b/c-d:_x',
])('the image reference %s is read and written back', (text) => {
  const image = parseImageReference(text)
  expect(image && formatImageReference(image)).toBe(text)
})
test.each([
  'edge:1',
  'os/edge:1',
  'registry.example/os',
  'localhost:5000/a',
  `r.example/a:b@${digest}`,
  `r.example/a@sha256:00`,
  'r.example/A:b',
  'r.example/a:',
  'r.example/../a:b',
  '-r/a:b',
  `${'a.'.repeat(130)}a/b:c`,
])('%s is no image reference', (text) => {
  expect(parseImageReference(text)).toBeNull()
})
test('the registry and the path of a repository', () => {
  expect(splitRepository('localhost:5000/os/edge')).toEqual({ host: 'localhost:5000', path: 'os/edge' })
})

test('a selector agrees with a naive reading of it on any labels', () => {
  const key = fc.constantFrom('a', 'b', 'toString')
  const value = fc.constantFrom('x', 'y', '')
  const expression = fc.record({
    key,
    operator: fc.constantFrom('In' as const, 'NotIn' as const, 'Exists' as const, 'DoesNotExist' as const),
    values: fc.array(value),
  })
  const selector: fc.Arbitrary<Selector> = fc.oneof(
    fc.constant<Selector>({ kind: 'all' }),
    fc.record({
      kind: fc.constant('match' as const),
      labels: fc.dictionary(key, value),
      expressions: fc.array(expression),
    }),
  )
  fc.assert(
    fc.property(selector, fc.dictionary(key, value), (chosen, labels) => {
      const has = new Map(Object.entries(labels))
      const naive =
        chosen.kind === 'all' ||
        (Object.entries(chosen.labels).every(([name, wanted]) => has.get(name) === wanted) &&
          chosen.expressions.every((each) => {
            const contained = has.has(each.key) && each.values.includes(has.get(each.key) ?? '')
            return {
              In: contained,
              NotIn: !contained,
              Exists: has.has(each.key),
              DoesNotExist: !has.has(each.key),
            }[each.operator]
          }))
      expect(matchesSelector(chosen, labels)).toBe(naive)
    }),
  )
})

test.each([
  ['In', ['x'], [true, false, false]],
  ['NotIn', ['x'], [false, true, true]],
  ['Exists', [], [true, true, false]],
  ['DoesNotExist', [], [false, false, true]],
] as const)('%s %j: the label is x, is y, is absent', (operator, values, expected) => {
  const selector: Selector = { kind: 'match', labels: {}, expressions: [{ key: 'a', operator, values }] }
  expect([{ a: 'x' }, { a: 'y' }, {}].map((labels) => matchesSelector(selector, labels))).toEqual(expected)
})

test('canonical JSON reads back as the same value and does not depend on the order of keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ noUnicodeString: false })), (value) => {
      const plain = JSON.parse(JSON.stringify(value)) as Record<string, never>
      const reversed = Object.fromEntries(Object.entries(plain).toReversed())
      expect(JSON.parse(canonicalJson(plain))).toEqual(plain)
      expect(canonicalJson(reversed)).toBe(canonicalJson(plain))
    }),
  )
  expect(canonicalJson({ b: [1, true, null], a: undefined, A: 'x' })).toBe('{"A":"x","b":[1,true,null]}')
  expect(() => canonicalJson(Number.NaN)).toThrow(RangeError)
})

test('a revision depends on image and health, not on the order in which its parts are written', () => {
  const image = { repository: 'r.example/a', digest, version: 'ignored' }
  const [early, late] = [{ url: 'http://a/' }, { url: 'http://b/' }]
  const health = { units: ['b.service', 'a.socket'], http: [late, early, late], checks: ['b', 'a', 'b'] }
  const rest = { greenboot: true, reachController: false, stableForMs: 5 }
  expect(canonicalRevisionInput({ image, health: { ...health, ...rest } })).toBe(
    `{"barriers":[],"health":{"checks":["a","b"],"greenboot":true,"http":[{"url":"http://a/"},{"url":"http://b/"}],"reachController":false,"stableForMs":5,"units":["a.socket","b.service"]},"image":{"digest":"${digest}","repository":"r.example/a"},"verify":null}`,
  )
})

test('a revision depends on barriers, not on their order or reasons', () => {
  const health = { units: [], http: [], checks: [], greenboot: true, reachController: true, stableForMs: 0 }
  const image = { repository: 'r.example/a', digest }
  const [old, older] = [
    { below: '42.0.0', digest, reason: 'new key' },
    { below: '41.0.0', digest, reason: 'new disk' },
  ]
  const withBoth = canonicalRevisionInput({ image, health, barriers: [old, older] })
  expect(withBoth).toContain(
    `{"barriers":[{"below":"41.0.0","digest":"${digest}"},{"below":"42.0.0","digest":"${digest}"}],`,
  )
  const others = [older, { ...old, reason: 'another' }, old]
  expect(canonicalRevisionInput({ image, health, barriers: others })).toBe(withBoth)
  expect(canonicalRevisionInput({ image, health, barriers: [old] })).not.toBe(withBoth)
  expect(canonicalRevisionInput({ image, health, barriers: [] })).toBe(
    canonicalRevisionInput({ image, health }),
  )
})

test('a near word is suggested and a far one is not', () => {
  expect(closest('maxUnavailble', ['upTo', 'maxUnavailable'])).toBe('maxUnavailable')
  expect(closest('ROLLBACK', ['Pause', 'Rollback'])).toBe('Rollback')
  expect(closest('verify', ['image', 'selector'])).toBeNull()
  expect(closest('x'.repeat(1000), ['x'])).toBeNull()
})

test('a code frame keeps the caret under the column of long lines and lets no control character out', () => {
  const frame = codeFrame(`\u001b[31m${'x'.repeat(300)}bad`, 1, 306)
  const [line = '', caret = ''] = frame.split('\n')
  expect(line.indexOf('bad')).toBe(caret.indexOf('^'))
  expect(frame.length).toBeLessThan(300)
  expect(codeFrame('\u001b[31mx\r\n\ty', 2, 2)).toBe('  1 | ?[31mx\n> 2 |  y\n    |  ^')
})

test('an issue without a frame is one line, and a hostile path cannot break it', () => {
  const issue = { path: 'a\nb.yaml', line: 1, column: 2, message: 'm', suggestion: 's', frame: '' }
  expect(formatIssue(issue)).toBe('a?b.yaml:1:2: m; s')
})

test('field paths and values are written so that they can be told apart', () => {
  expect(formatFieldPath(['a', 0, 'b', 'c d'])).toBe('a[0].b["c d"]')
  expect([quote('x'.repeat(100)).length, quote([]), quote({}), quote(null), quote(1), quote(false)]).toEqual([
    63,
    'a list',
    'a map',
    'nothing',
    '1',
    'false',
  ])
})

/** Parts of a Fleet are shown without what is around them. */
function wholeDocument(example: string, index: number): string {
  if (!example.startsWith('image:')) return example
  const selector = `selector: { matchLabels: { example: "${index}" } }`
  const spec = [selector, ...example.split('\n')].map((line) => `  ${line}`).join('\n')
  return `apiVersion: bootfleet.dev/v1alpha1\nkind: Fleet\nmetadata: { name: example-${index} }\nspec:\n${spec}\n`
}

test('the examples of the reference are what they show', async () => {
  const reference = await readFile(new URL('../../docs/desired-state.md', import.meta.url), 'utf8')
  const examples = [...reference.matchAll(/```yaml\n(.*?)```/gs)].map(([, example = '']) => example)
  const emergency =
    'apiVersion: bootfleet.dev/v1alpha1\nkind: RolloutStrategy\nmetadata: { name: emergency }\nspec: {}\n'
  const text = [...examples.map(wholeDocument), emergency].join('---\n').replaceAll('sha256:…', digest)
  const key = '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n'
  const result = parseDesiredState([
    { path: 'reference.yaml', text },
    { path: 'keys/release.pub', text: key },
  ])
  expect(result.ok ? [] : result.issues.map(formatIssue)).toEqual([])
  expect(examples).toHaveLength(6)
})

test('the published JSON Schema is up to date', async () => {
  const committed = await readFile(new URL('../../schema/bootfleet.schema.json', import.meta.url), 'utf8')
  expect(JSON.parse(committed)).toEqual(jsonSchema())
})
