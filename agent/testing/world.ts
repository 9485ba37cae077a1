import { initialState } from '../update/resume.ts'
import type { AcceptedPlan, FailedEvent, Phase } from '../update/types.ts'
import { acceptedPlan, factsOf, newHost, take, turn } from './machine-model.ts'
import type { Behaviour, World } from './machine-model.ts'

/** Version 3 fails its checks, version 4 does not boot, version 5 has no network. */
export const BEHAVIOUR: Behaviour = { sick: ['3'], dead: ['4'], offline: ['5'] }
export const NOW_MS = 1_000

export function newWorld(): World {
  const host = newHost('0')
  return { host, disk: initialState(factsOf(host), 0), pending: [], trace: ['Idle'] }
}

export function accept(world: World, plan: AcceptedPlan, nowMs = NOW_MS): void {
  take(world, { kind: 'planAccepted', plan }, nowMs)
}

/** A world that took `plan` and went on until the operation of `phase` was about to run. */
export function worldIn(phase: Phase, plan = acceptedPlan('1')): World {
  const world = newWorld()
  accept(world, plan)
  for (let turns = 0; world.disk.at.phase !== phase; turns += 1) {
    if (turns > 20) throw new Error(`never in ${phase}: ${world.trace.join(' ')}`)
    turn(world, BEHAVIOUR, NOW_MS)
  }
  return world
}

export function failed(world: World, changes: Partial<FailedEvent> = {}): FailedEvent {
  return {
    kind: 'failed',
    operation: world.disk.operation,
    code: 'SomethingFailed',
    message: 'it failed',
    retryable: true,
    random: 0,
    ...changes,
  }
}

export function kindsOf(world: World): readonly string[] {
  return world.pending.map(({ kind }) => kind)
}
