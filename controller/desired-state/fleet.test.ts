import { describe, expect, test } from 'vitest'
import { formatImageReference } from './image-reference.ts'
import { formatIssue } from './issue.ts'
import { parseDesiredState } from './parse.ts'
import type { Fleet } from './types.ts'

const [a, b] = ['a', 'b'].map((hex) => `sha256:${hex.repeat(64)}`)
const fleet = (written: string, name = 'edge') =>
  `apiVersion: bootfleet.dev/v1alpha1\nkind: Fleet\nmetadata: { name: ${name} }\nspec:\n  selector: { all: true }\n${written}`
const imaged = (image: string, name = 'edge') => fleet(`  image: ${image}\n`, name)
const plain = '{ repository: r.example/os, tag: stable }'
const fleetWith = (rest: string) => fleet(`  image: ${plain}\n  ${rest}\n`)

function fleetsOf(...texts: string[]): readonly Fleet[] {
  const result = parseDesiredState(texts.map((text, index) => ({ path: `f${index}.yaml`, text })))
  if (!result.ok) throw new Error(result.issues.map(formatIssue).join('\n'))
  return result.desiredState.fleets
}

/** The head lines only: `line:column: message; suggestion`. */
function refused(...texts: string[]): readonly string[] {
  const result = parseDesiredState(texts.map((text, index) => ({ path: `f${index}.yaml`, text })))
  return result.ok ? [] : result.issues.map((issue) => formatIssue(issue).split('\n')[0] ?? '')
}

describe('an image', () => {
  test.each([
    [plain, { kind: 'tag', repository: 'r.example/os', tag: 'stable', minimumAgeMs: 0 }],
    [
      '{ repository: r.example/os, tag: stable, minimumAge: 24h }',
      { kind: 'tag', repository: 'r.example/os', tag: 'stable', minimumAgeMs: 86_400_000 },
    ],
    [
      '{ repository: r.example/os, semver: 42.x, minimumAge: 90m }',
      { kind: 'semver', repository: 'r.example/os', range: '42.x', minimumAgeMs: 5_400_000 },
    ],
    [
      '{ repository: r.example/os, semver: ">=1.2.0-rc.1 <2 || 3" }',
      { kind: 'semver', repository: 'r.example/os', range: '>=1.2.0-rc.1 <2 || 3', minimumAgeMs: 0 },
    ],
  ])('%s is followed', (written, expected) => {
    expect(fleetsOf(imaged(written))[0]?.image).toEqual(expected)
  })

  test('that is followed without a tag is named by what is followed', () => {
    const texts = [
      imaged('{ from: { fleet: staging } }'),
      imaged('{ repository: r.example/os, semver: 42.x }', 'staging'),
    ]
    expect(fleetsOf(...texts).map(({ image }) => formatImageReference(image))).toEqual([
      'what fleet staging runs',
      'r.example/os (versions 42.x)',
    ])
  })

  test('may be what another fleet has proven, of whatever file', () => {
    const followed = fleetsOf(
      imaged('{ from: { fleet: staging, succeededFor: 24h } }'),
      imaged(plain, 'staging'),
      imaged('{ from: { fleet: edge } }', 'late'),
    )
    expect(followed.map(({ image }) => image)).toEqual([
      { kind: 'fleet', fleet: 'staging', succeededForMs: 86_400_000 },
      { kind: 'fleet', fleet: 'edge', succeededForMs: 0 },
      expect.objectContaining({ kind: 'tag' }),
    ])
  })

  test.each([
    [
      '{ repository: r.example/os, tag: x, semver: 1.x }',
      '6:10: spec.image: exactly one of digest, tag, semver and from is needed, found tag and semver',
    ],
    [
      '{ repository: r.example/os }',
      '6:10: spec.image: exactly one of digest, tag, semver and from is needed, found none',
    ],
    ['{ tag: x }', '6:3: spec.image.repository: is required'],
    [
      '{ repository: r.example/os, from: { fleet: x } }',
      '6:24: spec.image.repository: is that of the fleet that is followed: remove it',
    ],
    [
      `{ repository: r.example/os, digest: "${a}", minimumAge: 1h }`,
      '6:133: spec.image.minimumAge: has a meaning only with tag or semver',
    ],
    [
      '{ from: { fleet: x }, minimumAge: 1h }',
      '6:44: spec.image.minimumAge: has a meaning only with tag or semver; write from.succeededFor',
    ],
    [
      '{ repository: r.example/os, semver: latest }',
      '6:46: spec.image.semver: "latest" is not a range of versions as npm reads them (for example "42.x" or ">=1.2.0 <2"); put numbers in quotes',
    ],
    [
      '{ repository: r.example/os, semver: 42 }',
      '6:46: spec.image.semver: 42 is not a range of versions as npm reads them (for example "42.x" or ">=1.2.0 <2"); put numbers in quotes',
    ],
    [
      '{ repository: r.example/os, semver: "" }',
      '6:46: spec.image.semver: "" is not a range of versions as npm reads them (for example "42.x" or ">=1.2.0 <2"); put numbers in quotes',
    ],
    [
      '{ repository: r.example/os, tag: x, minimunAge: 1h }',
      '6:46: spec.image.minimunAge: unknown field; did you mean "minimumAge"?',
    ],
    ['{ from: { fleet: edge } }', '6:27: spec.image.from.fleet: "edge" would follow itself'],
    [
      '{ from: { fleet: stagin } }',
      '6:27: spec.image.from.fleet: there is no Fleet "stagin"; did you mean "staging"?',
    ],
    ['{ from: { succeededFor: 1h } }', '6:12: spec.image.from.fleet: is required'],
  ])('%s is refused', (written, expected) => {
    expect(refused(imaged(written), imaged(plain, 'staging'))).toEqual([`f0.yaml:${expected}`])
  })

  test('that goes round in a circle of fleets is refused in each of them', () => {
    const from = (name: string) => `{ from: { fleet: ${name} } }`
    const outside = imaged(from('a'), 'd')
    expect(refused(imaged(from('b'), 'a'), imaged(from('c'), 'b'), imaged(from('a'), 'c'), outside)).toEqual([
      'f0.yaml:6:27: spec.image.from.fleet: "a" would follow itself',
      'f1.yaml:6:27: spec.image.from.fleet: "b" would follow itself',
      'f2.yaml:6:27: spec.image.from.fleet: "c" would follow itself',
    ])
  })

  test('of a fleet that is wrong itself is refused only there', () => {
    expect(refused(imaged('{ from: { fleet: staging } }'), imaged('{ tag: x }', 'staging'))).toEqual([
      'f1.yaml:6:3: spec.image.repository: is required',
    ])
  })
})

test('hosts check the image only where git says so, also in a fleet that follows another', () => {
  const following = imaged('{ from: { fleet: staging }, lint: Enforce }')
  expect(fleetsOf(following, imaged(plain, 'staging')).map(({ lint }) => lint)).toEqual(['Enforce', 'Off'])
  expect(refused(imaged('{ repository: r.example/os, tag: x, lint: warn }'))[0]).toContain(
    'spec.image.lint: "warn" is not one of Enforce, Warn, Off; did you mean "Warn"?',
  )
})

describe('barriers, denials and downgrades', () => {
  test('are taken over as they are written', () => {
    const text = fleetWith(
      `requires: [{ from: "<42.0.0", via: "${a}", reason: new signing key }, { from: "< v39.20240210.3.0", via: "${b}", reason: x }]
  downgrade: Allow
  deny: [{ digest: "${b}", reason: "issue 123: no network" }]`,
    )
    expect(fleetsOf(text)[0]).toMatchObject({
      requires: [
        { below: '42.0.0', digest: a, reason: 'new signing key' },
        { below: 'v39.20240210.3.0', digest: b, reason: 'x' },
      ],
      downgrade: 'Allow',
      deny: [{ digest: b, reason: 'issue 123: no network' }],
    })
    expect(fleetsOf(fleetWith('suspend: true'))[0]).toMatchObject({
      requires: [],
      downgrade: 'Deny',
      deny: [],
    })
  })

  test.each([
    [
      `requires: [{ from: "42.0.0", via: "${a}", reason: x }]`,
      '7:22: spec.requires[0].from: "42.0.0" is not "<" and a version (for example "<42.0.0")',
    ],
    [
      `requires: [{ from: "<42.x", via: "${a}", reason: x }]`,
      '7:22: spec.requires[0].from: "<42.x" is not "<" and a version (for example "<42.0.0")',
    ],
    [
      'requires: [{ from: "<42", via: stable, reason: x }]',
      '7:34: spec.requires[0].via: "stable" is not a digest: "sha256:" and 64 lower-case hexadecimal digits',
    ],
    [`requires: [{ from: "<42", via: "${a}" }]`, '7:14: spec.requires[0].reason: is required'],
    [
      `requires: [{ from: "<42", via: "${a}", reason: x }, { from: "< 42", via: "${b}", reason: x }]`,
      '7:130: spec.requires[1].from: a second barrier "<42"',
    ],
    ['downgrade: allow', '7:14: spec.downgrade: "allow" is not one of Deny, Allow; did you mean "Allow"?'],
    [
      `deny: [{ digest: "${a}", reason: x }, { digest: "${a}", reason: y }]`,
      `7:118: spec.deny[1].digest: a second denial of "${a}"`,
    ],
    [
      `deny: [{ digest: "${a}", reason: "" }]`,
      '7:103: spec.deny[0].reason: "" is not a reason: one line of 1 to 200 characters',
    ],
    [
      `deny: [{ digest: "${a}", reason: "a\\nb" }]`,
      '7:103: spec.deny[0].reason: "a\\nb" is not a reason: one line of 1 to 200 characters',
    ],
    ['deny: {}', '7:9: spec.deny: a map is not a list'],
    ['verfy: {}', '7:3: spec.verfy: unknown field'],
  ])('%s is refused', (written, expected) => {
    expect(refused(fleetWith(written))).toEqual([`f0.yaml:${expected}`])
  })
})
