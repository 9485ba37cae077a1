import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyDesiredState } from '../../test/support/any-desired-state.ts'
import { formatDuration, parseDuration } from './duration.ts'
import { formatIssue } from './issue.ts'
import { parseDesiredState } from './parse.ts'
import { renderDesiredState } from './render.ts'
import type { DesiredState } from './types.ts'

function parsed(text: string): DesiredState {
  const result = parseDesiredState([{ path: 'x.yaml', text }])
  if (!result.ok) throw new Error(result.issues.map(formatIssue).join('\n'))
  const { fleets } = result.desiredState
  return {
    ...result.desiredState,
    fleets: fleets.map((each) => ({ ...each, declaredAt: { path: 'x.yaml', line: 1 } })),
  }
}

test('what is rendered is read back as the very same state', () => {
  fc.assert(
    fc.property(anyDesiredState, (state) => {
      expect(parsed(renderDesiredState(state))).toEqual(state)
    }),
    { numRuns: 60 },
  )
})

test('a text that is damaged anywhere is taken, or refused with a place, and never throws', () => {
  const at = fc.double({ min: 0, max: 1, noNaN: true })
  const damage = fc.record({ at, cut: fc.nat(12), put: fc.string({ maxLength: 4 }) })
  const damages = fc.array(damage, { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(anyDesiredState, damages, (state, wounds) => {
      let text = renderDesiredState(state)
      for (const { at: share, cut, put } of wounds) {
        const start = Math.floor(share * text.length)
        text = text.slice(0, start) + put + text.slice(start + cut)
      }
      const result = parseDesiredState([{ path: 'x.yaml', text }])
      for (const issue of result.ok ? [] : result.issues) {
        expect(issue.line).toBeLessThanOrEqual(text.split(/\r\n|\n|\r/).length)
        expect(issue.message).not.toBe('')
      }
    }),
    { numRuns: 60 },
  )
})

test('a duration is written as it is read', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 366 * 86_400 }), (count) => {
      expect(parseDuration(formatDuration(count * 1000))).toBe(count * 1000)
    }),
  )
  expect([0, 90_000, 3_600_000, 90_061_000].map(formatDuration)).toEqual(['0s', '1m30s', '1h', '1d1h1m1s'])
})

test('no default of the smallest fleet stays hidden', () => {
  const smallest = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec: { selector: { all: true }, image: { repository: r.example/os, tag: stable } }
`
  const result = parseDesiredState([
    { path: 'edge.yaml', text: smallest },
    { path: '.bootfleet/allow-removal', text: 'b\na\n' },
  ])
  expect(result.ok && renderDesiredState(result.desiredState)).toMatchInlineSnapshot(`
    "# .bootfleet/allow-removal: a, b
    apiVersion: bootfleet.dev/v1alpha1
    kind: Fleet
    metadata: { name: edge }
    spec:
      selector: { all: true }
      image: { repository: r.example/os, tag: stable, minimumAge: 0s, lint: "Off" }
      requires: []
      downgrade: Deny
      deny: []
      strategy: default
      suspend: false
    ---
    apiVersion: bootfleet.dev/v1alpha1
    kind: RolloutStrategy
    metadata: { name: default }
    spec:
      waves:
        - { name: canary, upTo: 1, soak: 0s, successThreshold: 0%, maxSkippedShare: 20%, onEmpty: Block, approval: { required: false } }
        - { name: tenth, upTo: 10%, soak: 0s, successThreshold: 0%, maxSkippedShare: 20%, onEmpty: Skip, approval: { required: false } }
        - { name: rest, upTo: 100%, soak: 0s, successThreshold: 0%, maxSkippedShare: 20%, onEmpty: Skip, approval: { required: false } }
      analysis: []
      maxUnavailable: 10%
      failureLimit: { max: 2%, minAttempted: 1 }
      onFailure: Pause
      firstWave: { failureLimit: { max: 0 }, onFailure: Rollback }
      rollback: { scope: UpdatedHosts, maxUnavailable: 20%, windows: Respect }
      budgets: []
      downloads: { maxConcurrent: 50, prefetch: NextWave }
      windows: []
      deadlines: { download: 2h, activate: 20m, health: 10m, wave: 1d }
      health: { units: [], http: [], checks: [], greenboot: true, reachController: true, stableFor: 0s }
      retry: { limit: 2, "on": [ Download, Stage ], backoff: { base: 1m, factor: 2, max: 30m } }
    "
  `)
})
