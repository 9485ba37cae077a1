import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { FleetLimitsSchema } from '../gen/bootfleet/v1/operator_pb.ts'
import { etaWords } from './eta.ts'
import { limitWords } from './limits.ts'

/** 21 September 2026, 14:15:20 UTC. */
const nowMs = 1_790_000_120_000
const inHours = (hours: number): bigint => BigInt(nowMs + hours * 3_600_000)
const ended = { endsEarliestAtMs: 0n, endUnknownBecause: '', waveDeadlineAtMs: 0n }

it('an end is told as what is known of it', () => {
  expect(etaWords(ended, nowMs)).toBe('')
  expect(etaWords({ ...ended, endsEarliestAtMs: inHours(2) }, nowMs)).toBe(
    'ETA 2026-09-21 16:15Z, in 2h00m, if nothing goes wrong',
  )
  const because = { ...ended, endUnknownBecause: 'wave "rest" needs an approval' }
  expect(etaWords(because, nowMs)).toBe('ETA unknown: wave "rest" needs an approval')
  expect(etaWords({ ...because, endsEarliestAtMs: inHours(2), waveDeadlineAtMs: inHours(1) }, nowMs)).toBe(
    'ETA not before 2026-09-21 16:15Z: wave "rest" needs an approval · deadline of its wave 2026-09-21 15:15Z, in 1h00m',
  )
})

it('limits are told by how much of them is used, and windows and freezes by when they turn', () => {
  const window = { action: 'Activate', open: false, turnsAtMs: 0n, opens: '' }
  const limits = create(FleetLimitsSchema, {
    unavailable: 2,
    unavailableMax: 2,
    downloadsMax: 10,
    budgets: [
      { topologyKey: 'site', value: 'eu', unavailable: 1, unavailableMax: 1 },
      { topologyKey: 'site', value: 'us', unavailable: 1, unavailableMax: 2 },
    ],
    windows: [
      { ...window, action: 'Download', open: true },
      { ...window, open: true, turnsAtMs: inHours(3) },
      { ...window, turnsAtMs: inHours(76), opens: 'Thu 20:15 Europe/Berlin' },
      window,
    ],
    freezes: [
      { name: 'now', fromMs: inHours(-1), toMs: inHours(1) },
      { name: 'later', fromMs: inHours(1), toMs: inHours(2) },
    ],
  })
  expect(limitWords(limits, nowMs)).toEqual([
    '2 of at most 2 restarting · 0 of at most 10 downloading',
    'budget site "eu": 1 of at most 1 down, full',
    'budget site "us": 1 of at most 2 down',
    'window to download: open',
    'window to activate: open, closes 2026-09-21 17:15Z, in 3h00m',
    'window to activate: closed, opens Thu 20:15 Europe/Berlin, in 3d4h',
    'window to activate: closed, and none is long enough',
    'freeze "now": until 2026-09-21 15:15Z, in 1h00m',
    'freeze "later": from 2026-09-21 15:15Z, in 1h00m, until 2026-09-21 16:15Z',
  ])
})
