import { expect } from 'vitest'
import { apply, open } from '../../controller/rollout/engine.ts'
import type { Decision, ForgottenRollout, Write } from '../../controller/rollout/decision.ts'
import type { Records } from '../../controller/rollout/records.ts'
import type { RolloutEvent } from '../../controller/rollout/events.ts'
import { dispatch } from './rollout-world.ts'
import { recordsOf } from '../../cli/simulator/store.ts'
import type { Store } from '../../cli/simulator/store.ts'
import type { World } from './rollout-world.ts'

/** Runs a second engine, opened from the records, and the first one to rest: both must have written the same. */
export function checkReopened(world: World): void {
  const twin = structuredClone(recordsOf(world.store))
  const opened = open(twin, { wallMs: world.wallMs, elapsedMs: 0 })
  let state = opened.state
  const records = indexed(twin)
  const take = (decision: Decision): Decision => {
    for (const write of decision.writes) {
      if (write.kind === 'forgetRollout') forget(records, write.record)
      else records.set(keyOf(write), write)
    }
    return decision
  }
  take(opened.decision)
  const events: RolloutEvent[] = [...world.agents.values()]
    .filter((agent) => agent.behaviour !== 'silent')
    .map((agent) => ({ kind: 'connection', hostId: agent.hostId, connected: true }))
  if (world.wanted !== null) events.push(world.wanted)
  events.push({ kind: 'timer' })
  let wakeInMs: number | null = 0
  for (let event = events.shift(); event !== undefined || wakeInMs === 0; event = events.shift()) {
    const step = apply(state, event ?? { kind: 'timer' }, { wallMs: world.wallMs, elapsedMs: 0 })
    state = step.state
    wakeInMs = take(step.decision).wakeInMs
  }
  do dispatch(world, { kind: 'timer' })
  while (world.wakeInMs === 0)
  expect(bare(records)).toEqual(bare(indexed(recordsOf(world.store))))
}

type Kept = Exclude<Write, { readonly kind: 'forgetRollout' }>

function forget(records: Map<string, Kept>, { hostIds, rolloutId, withHeader }: ForgottenRollout): void {
  for (const id of hostIds) records.delete(`grant ${rolloutId} ${id}`)
  if (withHeader) records.delete(`rollout ${rolloutId}`)
}

function keyOf(write: Kept): string {
  switch (write.kind) {
    case 'everyFleet':
      return 'every fleet'
    case 'fleet':
      return `fleet ${write.record.fleet}`
    case 'rollout':
      return `rollout ${write.record.id}`
    case 'grant':
      return `grant ${write.record.rolloutId} ${write.record.hostId}`
    case 'host':
      return `host ${write.record.hostId}`
  }
}

function indexed(records: Records): Map<string, Kept> {
  const writes: Kept[] = [
    ...(records.everyFleet === null ? [] : [{ kind: 'everyFleet' as const, record: records.everyFleet }]),
    ...records.fleets.map((record): Kept => ({ kind: 'fleet', record })),
    ...records.rollouts.map((record): Kept => ({ kind: 'rollout', record })),
    ...records.grants.map((record): Kept => ({ kind: 'grant', record })),
  ]
  return new Map(writes.map((write) => [keyOf(write), write]))
}

function bare(records: ReadonlyMap<string, Kept>): readonly string[] {
  return [...records.values()]
    .filter((write) => write.kind !== 'host')
    .map((write) => `${keyOf(write)} ${JSON.stringify(write.record)}`)
    .toSorted((a, b) => (a < b ? -1 : 1))
}

/** Everything durable but reports, in one order: equal worlds have equal texts. */
export function durable(store: Store): readonly string[] {
  return bare(indexed(recordsOf(store)))
}
