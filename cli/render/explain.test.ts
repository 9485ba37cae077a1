import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { TraceResponseSchema, WhyResponseSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { renderTrace, renderWhy } from './explain.ts'
import { plain } from './style.ts'

const atMs = BigInt(Date.UTC(2026, 10, 21, 12))

it('says why in one line each', () => {
  const why = create(WhyResponseSchema, {
    hostName: 'till-17',
    fleet: 'edge',
    reason: 'WaitsForWave',
    phase: 'Pending',
    message: 'waits for wave "canary"',
    sinceMs: atMs,
    next: 'its turn comes',
  })
  expect(renderWhy(why, { nowMs: atMs + 120_000n, style: plain, columns: null })).toBe(
    [
      'Host:    till-17',
      'Fleet:   edge',
      'Phase:   · Pending',
      'Reason:  WaitsForWave',
      'Why:     waits for wave "canary"',
      'Since:   2026-11-21T12:00:00Z (2m)',
      'Next:    its turn comes',
      '',
    ].join('\n'),
  )
  const unknown = create(WhyResponseSchema, { hostName: 'till-17', phase: 'Pending' })
  expect(renderWhy(unknown, { nowMs: atMs, style: plain, columns: null })).toMatch(
    /Fleet: +-\n[^]*Since: +-\n/,
  )
})

it('says what failed, and what the host saw of it', () => {
  const why = create(WhyResponseSchema, {
    phase: 'RolledBack',
    message: 'web-up failed',
    failedDigest: 'sha256:2e17',
    evidence: ['entry used 1 of 3 tries', 'web-up: exit status 1'],
  })
  expect(renderWhy(why, { nowMs: atMs, style: plain, columns: null })).toMatch(
    /\nWhy: +web-up failed\nFailed: +sha256:2e17\nEvidence: +entry used 1 of 3 tries\nEvidence: +web-up: exit status 1\nSince: /,
  )
})

it('traces in one line per hop', () => {
  const hops = [
    { kind: 'Commit', name: 'c1', message: 'first wanted revision r1' },
    { kind: 'Order', name: 'approve', atMs, actor: 'kim' },
  ]
  expect(renderTrace(create(TraceResponseSchema, { hops }), { style: plain, columns: null })).toBe(
    [
      'HOP     TIME                  BY   WHAT',
      'Commit  -                     -    c1: first wanted revision r1',
      'Order   2026-11-21T12:00:00Z  kim  approve',
      '',
    ].join('\n'),
  )
  expect(renderTrace(create(TraceResponseSchema, {}), { style: plain, columns: null })).toContain(
    'nothing was ever granted',
  )
})
