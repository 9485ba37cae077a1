import type { Decision } from '../../../controller/rollout/decision.ts'
import type { Records } from '../../../controller/rollout/records.ts'
import type { RolloutEvent } from '../../../controller/rollout/events.ts'
import { nowOf } from '../controller.ts'
import { emptyStore, persist, recordsOf } from '../store.ts'
import type { Store } from '../store.ts'
import type { World } from '../world-model.ts'
import { runUntil, say } from '../world.ts'
import { hold } from './broken.ts'
import { checkCounts, checkReason } from './views.ts'

/** Everything at once, where the world stands now: what an operator is told, and what a successor would do. */
export function checkWhole(world: World): void {
  if (world.controller.state === null) return
  checkCounts(world)
  checkReopened(world)
  for (const id of world.hosts.keys()) checkReason(world, id, true)
}

/** An engine opened from the records, in another order, writes what the one that never stopped does. */
function checkReopened(world: World): void {
  const { controller, office } = world
  const { cut } = controller
  controller.cut = null
  say(world, { kind: 'timer' })
  runUntil(world, world.elapsedMs)
  controller.cut = cut
  const { wallMs } = nowOf(controller, office)
  const now = { wallMs, elapsedMs: 0 }
  const records = structuredClone(recordsOf(controller.store))
  const twin = storeOf(records)
  const opened = controller.engine.open(reversed(records), now)
  let { state } = opened
  let decision: Decision = opened.decision
  const events: RolloutEvent[] = [...controller.connected].map((hostId) => {
    return { kind: 'connection', hostId, connected: true }
  })
  if (controller.wanted !== null) events.push({ kind: 'wanted', ...controller.wanted })
  for (let turn = 0; turn < events.length + 1000; turn += 1) {
    for (const write of decision.writes) persist(twin, write)
    const event = events[turn]
    if (event === undefined && decision.wakeInMs !== 0) break
    const step = controller.engine.apply(state, event ?? { kind: 'timer' }, now)
    state = step.state
    decision = step.decision
  }
  const [mine, other] = [textOf(controller.store), textOf(twin)]
  for (const [key, text] of other) {
    hold(mine.get(key) === text, 5, () => `opened anew, ${key} is ${text}; it was ${mine.get(key)}`)
  }
  hold(
    mine.size === other.size,
    5,
    () => `opened anew there are ${other.size} records, there were ${mine.size}`,
  )
}

function reversed(records: Records): Records {
  return {
    ...records,
    rollouts: records.rollouts.toReversed(),
    grants: records.grants.toReversed(),
    hosts: records.hosts.toReversed(),
    enrolments: records.enrolments.toReversed(),
  }
}

function storeOf(records: Records): Store {
  const store = emptyStore()
  for (const record of records.fleets) persist(store, { kind: 'fleet', record })
  for (const record of records.rollouts) persist(store, { kind: 'rollout', record })
  for (const record of records.grants) persist(store, { kind: 'grant', record })
  return store
}

/** Clocks of waves are in memory up to a minute longer than in the store. */
const clocks: ReadonlySet<string> = new Set(['soakedMs', 'ranMs', 'awaitedMs', 'dueInMs'])

function textOf(store: Store): ReadonlyMap<string, string> {
  const withoutClocks = (key: string, value: unknown): unknown => (clocks.has(key) ? 0 : value)
  const entries = [...store.fleets, ...store.rollouts, ...store.grants].map(
    ([key, record]) => [key, JSON.stringify(record, withoutClocks)] as const,
  )
  return new Map(entries)
}
