import { expect, test } from 'vitest'
import {
  fleetView,
  fleetWith,
  nowOf,
  rolledOut,
  rolloutView,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, pass, settleAll, startMs, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'
import type { Strategy, Wave, Window } from '../desired-state/types.ts'
import type { EtaView } from './eta.ts'

const hourMs = 3_600_000
const canary = waveOf('canary', { kind: 'count', count: 1 }, hourMs)
const rest = waveOf('rest', { kind: 'percent', percent: 100 })
const said = { actor: 'kim', reason: 'because' }

function begun(strategy: Partial<Strategy>, hosts = 3): World {
  const world = rolledOut('1.0.0', hosts)
  want(world, [fleetWith('2.0.0', { strategy: strategyWith(strategy) })], 'c2')
  return world
}

function etaOf(world: World): EtaView {
  const { endUnknownBecause, endsEarliestAtMs, waveDeadlineAtMs } = rolloutView(world)
  return { endUnknownBecause, endsEarliestAtMs, waveDeadlineAtMs }
}

const unknown = (endUnknownBecause: string): EtaView => ({
  endsEarliestAtMs: 0,
  endUnknownBecause,
  waveDeadlineAtMs: 0,
})

test('a rollout that soaks cannot end before its soaks, and hosts of later waves take what they take', () => {
  const world = begun({ waves: [canary, { ...rest, soakMs: 2 * hourMs }] })
  settleAll(world)
  pass(world, 60_000)
  expect(etaOf(world)).toEqual({
    endsEarliestAtMs: nowOf(world).wallMs + 3 * hourMs - 60_000,
    endUnknownBecause: '2 hosts are still to be updated',
    waveDeadlineAtMs: 0,
  })
})

test('the last soak ends the rollout, and then nothing is left to say', () => {
  const world = begun({ waves: [{ ...rest, soakMs: hourMs }] })
  settleAll(world)
  expect(etaOf(world)).toEqual({ ...unknown(''), endsEarliestAtMs: nowOf(world).wallMs + hourMs })
  pass(world, hourMs)
  expect(rolloutView(world).state).toBe('Succeeded')
  expect(etaOf(world)).toEqual(unknown(''))
})

test('a wave that runs says its deadline, and nothing of an end that only its hosts decide', () => {
  const world = begun({ waves: [canary, rest] }, 2)
  expect(etaOf(world)).toEqual({
    endsEarliestAtMs: nowOf(world).wallMs + hourMs,
    endUnknownBecause: '2 hosts are still to be updated',
    waveDeadlineAtMs: nowOf(world).wallMs + 2 * hourMs,
  })
  const alone = begun({ waves: [rest] }, 1)
  expect(etaOf(alone)).toMatchObject({
    endsEarliestAtMs: 0,
    endUnknownBecause: '1 host is still to be updated',
  })
})

test('whoever must be asked, and what is measured, comes before the hosts', () => {
  const approval: Wave['approval'] = { approvers: 1, expiresAfterMs: hourMs }
  const asking = begun({ waves: [{ ...canary, approval }, rest] })
  settleAll(asking)
  expect(etaOf(asking)).toMatchObject({
    endsEarliestAtMs: nowOf(asking).wallMs + hourMs,
    endUnknownBecause: 'wave "canary" needs an approval',
  })
  pass(asking, hourMs)
  expect(etaOf(asking)).toEqual(unknown('wave "canary" needs an approval'))
  dispatch(asking, { kind: 'approve', rolloutId: 'edge.2', ...said })
  expect(rolloutView(asking).endUnknownBecause).toBe('2 hosts are still to be updated')

  const provider = { kind: 'named', check: 'errors' } as const
  const errors = { name: 'errors', provider, intervalMs: 60_000, failureLimit: 1 }
  const measuring = begun({ waves: [canary, rest], analysis: [errors] })
  settleAll(measuring)
  expect(rolloutView(measuring).endUnknownBecause).toBe('wave "canary" takes as long as its analyses do')
})

test('a window that is waited for counts, and one that never opens leaves nothing to say', () => {
  const friday: Window = {
    kind: 'Allow',
    days: ['Fri'],
    startMinute: 22 * 60,
    durationMs: 4 * hourMs,
    timeZone: 'UTC',
    actions: ['Activate'],
  }
  const world = begun({ waves: [canary, rest], windows: [friday] })
  pass(world, 60_000)
  // The world begins on a Thursday, 1 January 2026.
  expect(etaOf(world)).toEqual({
    endsEarliestAtMs: startMs + 46 * hourMs + hourMs,
    endUnknownBecause: '3 hosts are still to be updated',
    waveDeadlineAtMs: 0,
  })
  const short = begun({ waves: [canary, rest], windows: [{ ...friday, durationMs: 60_000 }] })
  pass(short, 60_000)
  expect(etaOf(short)).toEqual(unknown('no window is long enough'))
})

test('what stands still or goes back has no end that anybody knows', () => {
  const paused = begun({ waves: [canary, rest] })
  dispatch(paused, { kind: 'pause', rolloutId: 'edge.2', ...said })
  expect(etaOf(paused)).toEqual(unknown('it is paused'))
  const halted = begun({ waves: [canary, rest] })
  dispatch(halted, { kind: 'halt', fleet: 'edge', ...said })
  expect(etaOf(halted).endUnknownBecause).toContain('halted by kim')
  const back = begun({ waves: [canary, rest] })
  settleAll(back)
  dispatch(back, { kind: 'rollback', rolloutId: 'edge.2', ...said })
  expect(rolloutView(back).state).toBe('RollingBack')
  expect(etaOf(back)).toEqual(unknown('hosts go back as fast as they can'))
  const empty = begun({ waves: [canary, rest] }, 1)
  const nobody = { kind: 'match', labels: { site: 'none' }, expressions: [] } as const
  want(
    empty,
    [fleetWith('2.0.0', { selector: nobody, strategy: strategyWith({ waves: [canary, rest] }) })],
    'c3',
  )
  expect(etaOf(empty)).toEqual(unknown('none of its waves has hosts'))
  expect(fleetView(empty).hostsTotal).toBe(0)
})
