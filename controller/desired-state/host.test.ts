import { describe, expect, test } from 'vitest'
import { formatIssue } from './issue.ts'
import { parseDesiredState } from './parse.ts'
import { renderDesiredState } from './render.ts'
import type { DesiredState } from './types.ts'

const digest = `sha256:${'a'.repeat(64)}`
const manifest = (kind: string, name: string, spec: string) =>
  `apiVersion: bootfleet.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`
const host = (spec: string, name = 'till-17') => manifest('Host', name, spec)
const freeze = (spec: string) => manifest('Freeze', 'year-end', spec)
const strategy = manifest('RolloutStrategy', 'emergency', '{ onFailure: Pause }')
const fleet = manifest(
  'Fleet',
  'edge',
  '{ selector: { all: true }, image: { repository: r.example/os, tag: stable }, strategy: emergency }',
)
const time = 'from: 2026-12-20T00:00, to: 2027-01-03T00:00, timeZone: Europe/Berlin'

function accepted(...texts: string[]): DesiredState {
  const result = parseDesiredState(texts.map((text, index) => ({ path: `f${index}.yaml`, text })))
  if (!result.ok) throw new Error(result.issues.map(formatIssue).join('\n'))
  return result.desiredState
}

function refused(...texts: string[]): readonly string[] {
  const result = parseDesiredState(texts.map((text, index) => ({ path: `f${index}.yaml`, text })))
  return result.ok ? [] : result.issues.map((issue) => formatIssue(issue).split('\n')[0] ?? '')
}

describe('a host', () => {
  test('has labels, a pin and a hold until a time of its own zone', () => {
    const until = 'until: 2026-12-24T00:00, timeZone: Europe/Berlin'
    const whole = `{ labels: { ring: canary }, pin: "${digest}", hold: { ${until}, reason: hardware swap } }`
    expect(accepted(host(whole), host('{ hold: { reason: broken fan } }', 'Kasse_9.example')).hosts).toEqual([
      {
        name: 'Kasse_9.example',
        labels: {},
        pin: null,
        hold: { untilMs: null, reason: 'broken fan' },
      },
      {
        name: 'till-17',
        labels: { ring: 'canary' },
        pin: digest,
        hold: { untilMs: 1_798_066_800_000, reason: 'hardware swap' },
      },
    ])
  })

  test('has kernel arguments in their order, each once, and none where the list is empty', () => {
    const [none, some] = accepted(
      host('{ kernelArguments: [quiet, mitigations=off, quiet] }'),
      host('{ kernelArguments: [] }', 'till-16'),
    ).hosts
    expect(none).not.toHaveProperty('kernelArguments')
    expect(some).toMatchObject({ kernelArguments: ['mitigations=off', 'quiet'] })
    const state = accepted(host('{ kernelArguments: [quiet] }'))
    expect(accepted(renderDesiredState(state))).toEqual(state)
  })

  test('may be updated without a way back where git says so', () => {
    const [allowed, not] = accepted(
      host('{ allowUnguardedBoot: true }'),
      host('{ allowUnguardedBoot: false }', 'till-16'),
    ).hosts.toReversed()
    expect(allowed).toMatchObject({ allowUnguardedBoot: true })
    expect(not).not.toHaveProperty('allowUnguardedBoot')
    const state = accepted(host('{ allowUnguardedBoot: true }'))
    expect(accepted(renderDesiredState(state))).toEqual(state)
  })

  test.each([
    [
      '{ kernelArguments: [quiet, init=/bin/sh] }',
      '4:34: spec.kernelArguments[1]: may not be set here: it decides what starts instead of the image, and whether the trial of an image is judged',
    ],
    [
      '{ kernelArguments: [two words] }',
      '4:27: spec.kernelArguments[0]: is not one kernel argument (NAME or NAME=VALUE of letters, digits and _ . , : @ % + / ~ = -)',
    ],
    [
      `{ kernelArguments: [${Array.from({ length: 17 }, (_, at) => `a${at}=`.padEnd(241, 'x')).join(', ')}] }`,
      '4:26: spec.kernelArguments: has 4113 characters in all, and at most 4096 fit in a plan: shorten them, or put what all hosts need in the image (/usr/lib/bootc/kargs.d)',
    ],
    ['{ kernelArguments: [1] }', '4:27: spec.kernelArguments[0]: 1 is not a text'],
    [
      '{ labels: { host.bootfleet.dev/arch: amd64 } }',
      '4:19: spec.labels["host.bootfleet.dev/arch"]: labels under host.bootfleet.dev/ are what a host reports about itself: take another prefix, or none',
    ],
    [
      '{ labels: { ring: 1 } }',
      '4:25: spec.labels.ring: 1 is not a label value: at most 63 letters, digits, "-", "_" and "."; put numbers and true or false in quotes',
    ],
    [
      '{ pin: stable }',
      '4:14: spec.pin: "stable" is not a digest: "sha256:" and 64 lower-case hexadecimal digits',
    ],
    [
      '{ hold: { until: 2026-12-24, timeZone: UTC, reason: x } }',
      '4:24: spec.hold.until: "2026-12-24" is not a date and time of a clock from 2000 to 2999 (for example 2026-12-24T18:30)',
    ],
    [
      '{ hold: { until: 2026-02-29T00:00, timeZone: UTC, reason: x } }',
      '4:24: spec.hold.until: "2026-02-29T00:00" is on a day that its month does not have',
    ],
    [
      '{ hold: { until: 2026-12-24T00:00, reason: x } }',
      '4:9: spec.hold.timeZone: is required: until and timeZone belong together',
    ],
    [
      '{ hold: { timeZone: UTC, reason: x } }',
      '4:9: spec.hold.until: is required: until and timeZone belong together',
    ],
    ['{ hold: {} }', '4:9: spec.hold.reason: is required'],
    ['{ lables: {} }', '4:9: spec.lables: unknown field; did you mean "labels"?'],
  ])('%s is refused', (spec, expected) => {
    expect(refused(host(spec))).toEqual([`f0.yaml:${expected}`])
  })

  test('is refused under a name that no machine has, and when it is declared twice', () => {
    expect(refused(host('{}', '"a b"'))[0]).toMatch(
      /^f0.yaml:3:19: metadata.name: "a b" is not the name of a host/,
    )
    expect(refused(host('{}'), host('{}'))).toEqual([
      'f1.yaml:3:19: metadata.name: a second Host "till-17"; the first is at f0.yaml:1',
    ])
  })

  test('with more labels than anybody means is refused', () => {
    const labels = Array.from({ length: 65 }, (_, index) => `l${index}: x`).join(', ')
    expect(refused(host(`{ labels: { ${labels} } }`))).toEqual([
      'f0.yaml:4:17: spec.labels: more than 64 labels',
    ])
  })
})

describe('a freeze', () => {
  test('lies between two local times, and leaves out strategies', () => {
    const spec = `{ ${time}, selector: { matchLabels: { site: eu } }, except: [emergency, emergency] }`
    const { freezes } = accepted(freeze(spec), strategy, fleet)
    expect(freezes).toEqual([
      {
        name: 'year-end',
        fromMs: 1_797_721_200_000,
        toMs: 1_798_930_800_000,
        selector: { kind: 'match', labels: { site: 'eu' }, expressions: [] },
        except: ['emergency'],
      },
    ])
  })

  test('may leave out a strategy that no fleet uses, which then means nothing', () => {
    const spec = `{ ${time}, selector: { all: true }, except: [emergency, default] }`
    expect(accepted(freeze(spec), strategy).freezes[0]?.except).toEqual([])
  })

  test.each([
    [`{ ${time} }`, '4:1: spec.selector: is required'],
    [
      `{ ${time}, selector: {} }`,
      '4:90: spec.selector: an empty selector is not allowed; every host is written { all: true }',
    ],
    [
      '{ from: 2027-01-03T00:00, to: 2027-01-03T00:00, timeZone: UTC, selector: { all: true } }',
      '4:37: spec.to: is not after from',
    ],
    [
      `{ ${time}, selector: { all: true }, except: [emergncy] }`,
      '4:114: spec.except[0]: there is no RolloutStrategy "emergncy"; did you mean "emergency"?',
    ],
  ])('%s is refused', (spec, expected) => {
    expect(refused(freeze(spec), strategy)).toEqual([`f0.yaml:${expected}`])
  })
})

describe('.bootfleet/allow-removal', () => {
  const parse = (text: string, path = '.bootfleet/allow-removal') => parseDesiredState([{ path, text }])

  test('names fleets, one a line, in any source', () => {
    const text = '# moved to the shop\nold-tills   # see issue 12\r\n\n  lab\nlab\n'
    const result = parse(text, 'shop/.bootfleet/allow-removal')
    expect(result.ok && result.desiredState.removable).toEqual(['lab', 'old-tills'])
  })

  test('is refused where a line is no name', () => {
    const result = parse('lab\n\n  two fleets # at once\n')
    expect(result.ok ? '' : result.issues.map(formatIssue).join('\n')).toBe(`\
.bootfleet/allow-removal:3:3: "two fleets" is not the name of a fleet: one a line, "#" begins a comment
  1 | lab
  2 |
> 3 |   two fleets # at once
    |   ^
  4 |`)
  })

  test('never gives more issues than are shown', () => {
    const result = parse('a b\n'.repeat(1000))
    expect(result.ok ? [] : result.issues).toHaveLength(50)
  })
})
