import * as fc from 'fast-check'
import type {
  DesiredState,
  Fleet,
  ImageReference,
  ImageVerification,
  Strategy,
} from '../../controller/desired-state/types.ts'
import { strategy } from './any-strategy.ts'
import { byName, digest, duration, label, labelValue, name, reason, selector } from './any-words.ts'

const minuteMs = 60_000

const sorted = <Named extends { readonly name: string }>(items: readonly Named[]) =>
  items.toSorted((left, right) => (left.name < right.name ? -1 : 1))

const image: fc.Arbitrary<ImageReference> = fc.oneof(
  fc.record({ kind: fc.constant('digest' as const), repository: fc.constant('r.example/os'), digest }),
  fc.record({
    kind: fc.constant('tag' as const),
    repository: fc.constant('localhost:5000/os/edge'),
    tag: fc.constantFrom('stable', '1', '1.0', 'null', '1e3', '0o7'),
    minimumAgeMs: fc.oneof(fc.constant(0), duration),
  }),
  fc.record({
    kind: fc.constant('semver' as const),
    repository: fc.constant('r.example/os'),
    range: fc.constantFrom('42.x', '*', '>=1.2.0 <2', '1', '^1.0.0-rc.1 || 3'),
    minimumAgeMs: fc.oneof(fc.constant(0), duration),
  }),
)

const verify: fc.Arbitrary<ImageVerification> = fc.record({
  keys: fc
    .constantFrom(['release'], ['a', 'b'])
    .map((listed) => listed.map((each) => ({ kind: 'configured' as const, name: each }))),
  signers: fc.array(
    fc.record({
      trustedRoot: fc.constant('public'),
      issuer: fc.constant('https://issuer.example'),
      subject: fc.constantFrom(
        { kind: 'exact' as const, value: 'release@example.org' },
        { kind: 'pattern' as const, value: 'https://forge.example/os/*@refs/tags/*' },
      ),
    }),
    { maxLength: 2 },
  ),
})

const fleet = fc.record({
  name,
  selector,
  image,
  verify: fc.option(verify),
  lint: fc.constantFrom('Enforce' as const, 'Warn' as const, 'Off' as const),
  suspend: fc.boolean(),
  requires: fc
    .constantFrom([], ['1.0', '2.0.0-rc.1', '42.20260801.0'])
    .chain((versions) =>
      fc.tuple(...versions.map((below) => fc.record({ below: fc.constant(below), digest, reason }))),
    ),
  downgrade: fc.constantFrom('Deny' as const, 'Allow' as const),
  deny: fc.uniqueArray(fc.record({ digest, reason }), { maxLength: 2, selector: (each) => each.digest }),
})

const instant = fc.integer({ min: 946_684_800_000 / minuteMs, max: 66_000_000 }).map((at) => at * minuteMs)

/** In the form that a parser gives: sorted, with nothing that could be left out in another way. */
export const anyDesiredState: fc.Arbitrary<DesiredState> = fc
  .record({
    fleets: byName(fleet),
    strategies: fc.uniqueArray(strategy, { minLength: 1, maxLength: 3, selector: (each) => each.name }),
    hosts: byName(
      fc.record({
        name: fc.constantFrom('till-17', 'Kasse.example', '9', 'null'),
        labels: fc.dictionary(label, labelValue, { noNullPrototype: true }),
        pin: fc.option(digest),
        hold: fc.option(fc.record({ untilMs: fc.option(instant), reason })),
      }),
    ),
    freezes: byName(
      fc.record({ name, fromMs: instant, selector, forMinutes: fc.integer({ min: 1, max: 100_000 }) }),
    ),
  })
  .map(({ fleets, freezes, hosts, strategies }) => {
    const strategyAt = (index: number) => strategies[index % strategies.length] as Strategy
    const used = sorted(strategies.slice(0, fleets.length)).map((each) => each.name)
    return {
      fleets: sorted(
        fleets.map((each, index): Fleet => {
          const from: ImageReference | null =
            index > 0 && index % 2 === 0
              ? { kind: 'fleet', fleet: String(fleets[index - 1]?.name), succeededForMs: 1000 * index }
              : null
          return {
            ...each,
            image: from ?? each.image,
            verify: from === null ? each.verify : null,
            strategy: strategyAt(index),
            declaredAt: { path: 'x.yaml', line: 1 },
          }
        }),
      ),
      hosts: sorted(hosts),
      freezes: sorted(
        freezes.map(({ forMinutes, ...each }) => ({
          ...each,
          toMs: each.fromMs + forMinutes * minuteMs,
          except: used,
        })),
      ),
      removable: [],
    }
  })
