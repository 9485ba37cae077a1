import { expect, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetView, fleetWith, nowOf, strategyWith } from '../../test/support/rollout-fleet.ts'
import {
  dispatch,
  enrol,
  newWorld,
  pass,
  restart,
  settleAll,
  silence,
  startMs,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import type { Freeze, Strategy, Window } from '../desired-state/types.ts'
import type { LimitsView } from './limit-views.ts'

const hourMs = 3_600_000
const everyDay: Window['days'] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const friday: Window = {
  kind: 'Allow',
  days: ['Fri'],
  startMinute: 22 * 60,
  durationMs: 4 * hourMs,
  timeZone: 'Europe/Berlin',
  actions: ['Activate'],
}

/** Two hosts in each of two sites, half way to an image when nothing holds them. */
function begun(strategy: Partial<Strategy>, freezes: readonly Freeze[] = []): World {
  const world = newWorld()
  for (const site of ['eu', 'us']) {
    for (const number of [1, 2]) enrol(world, `${site}-${number}`, imageOf('0.0.0').digest, { site })
  }
  want(world, [fleetWith('1.0.0')], 'c1')
  settleAll(world)
  want(world, [fleetWith('2.0.0', { strategy: strategyWith(strategy) })], 'c2', { freezes: [...freezes] })
  return world
}

function limitsOf(world: World): LimitsView {
  const { limits } = fleetView(world)
  if (limits === null) throw new Error('the fleet has no limits')
  return limits
}

test('what downloads and restarts is shown beside how much of it may', () => {
  const world = begun({ downloads: { maxConcurrent: 3, prefetch: 'None' } })
  while (world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
  expect(limitsOf(world)).toEqual({
    unavailable: 0,
    unavailableMax: 1,
    downloading: 3,
    downloadsMax: 3,
    perMinute: 0,
    budgets: [],
    windows: [],
    freezes: [],
  })
  const slow = begun({ rate: { basePerMinute: 2, maxPerMinute: 2, factor: 1 } })
  expect(limitsOf(slow).perMinute).toBe(2)
})

test('budgets by label of which something is down come first when they are full', () => {
  const world = begun({
    maxUnavailable: { kind: 'count', count: 4 },
    budgets: [
      { topologyKey: 'site', maxUnavailable: { kind: 'count', count: 2 } },
      { topologyKey: 'rack', maxUnavailable: { kind: 'count', count: 1 } },
    ],
  })
  expect(limitsOf(world).budgets).toEqual([])
  const away = ['us-1', 'us-2', 'eu-1']
  for (const id of away) {
    const agent = world.agents.get(id)
    if (agent === undefined) throw new Error(`no ${id}`)
    silence(world, agent)
  }
  expect(limitsOf(world).budgets).toEqual([
    { topologyKey: 'site', value: 'us', unavailable: 2, unavailableMax: 2 },
    { topologyKey: 'site', value: 'eu', unavailable: 1, unavailableMax: 2 },
  ])
})

test('windows say when they turn, in their zone while they are closed', () => {
  const world = begun({
    windows: [friday, { ...friday, kind: 'Deny', days: ['Mon'], actions: ['Download'] }],
  })
  const opensAtMs = startMs + 45 * hourMs
  // 1 January 2026 is a Thursday.
  expect(limitsOf(world).windows).toEqual([
    { action: 'Download', open: true, turnsAtMs: startMs + 117 * hourMs - 1, opens: '' },
    { action: 'Activate', open: false, turnsAtMs: opensAtMs, opens: 'Fri 22:00 Europe/Berlin' },
  ])
  pass(world, opensAtMs - nowOf(world).wallMs)
  expect(limitsOf(world).windows).toMatchObject([
    { action: 'Download', open: true },
    { action: 'Activate', open: true, turnsAtMs: opensAtMs + 4 * hourMs - 10 * 60_000 },
  ])
  const never = begun({ windows: [{ ...friday, durationMs: 60_000 }] })
  expect(limitsOf(never).windows).toEqual([{ action: 'Activate', open: false, turnsAtMs: 0, opens: '' }])
  const always = begun({
    windows: [{ ...friday, kind: 'Allow', days: everyDay, startMinute: 0, durationMs: 24 * hourMs }],
  })
  expect(limitsOf(always).windows).toEqual([{ action: 'Activate', open: true, turnsAtMs: 0, opens: '' }])
})

test('freezes that hold hosts of the fleet are shown until they are over', () => {
  const { wallMs } = nowOf(newWorld())
  const freeze = (name: string, fromHours: number, changes: Partial<Freeze> = {}): Freeze => ({
    name,
    fromMs: wallMs + fromHours * hourMs,
    toMs: wallMs + (fromHours + 2) * hourMs,
    selector: { kind: 'all' },
    except: [],
    ...changes,
  })
  const nowhere = { kind: 'match', labels: { site: 'none' }, expressions: [] } as const
  const world = begun({}, [
    freeze('later', 5),
    freeze('now', 0),
    freeze('elsewhere', 0, { selector: nowhere }),
    freeze('not ours', 0, { except: ['test'] }),
  ])
  expect(limitsOf(world).freezes.map(({ name }) => name)).toEqual(['now', 'later'])
  pass(world, 3 * hourMs)
  expect(limitsOf(world).freezes).toEqual([
    { name: 'later', fromMs: wallMs + 5 * hourMs, toMs: wallMs + 7 * hourMs },
  ])
})

test('a fleet that git does not have, or before git was read, has none', () => {
  const world = begun({})
  const { wanted } = world
  world.wanted = null
  restart(world)
  expect(fleetView(world).limits).toBe(null)
  world.wanted = wanted
  want(world, [], 'c3')
  expect(fleetView(world).limits).toBe(null)
})
