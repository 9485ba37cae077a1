import type { WindowAction } from '../desired-state/types.ts'
import { limitsOf } from './holds.ts'
import type { Bucket, Fleet, Rollout, RolloutEngineState } from './state.ts'
import type { Now } from './now.ts'
import type { RolloutRecord } from './records.ts'
import { gateAt, lookAheadMs, openingsFrom } from './windows.ts'
import type { Schedule, WindowGate } from './windows.ts'

const open: WindowGate = { kind: 'Open', untilMs: null, endMs: null }

/** Whether hosts of the rollout may begin to pull or to activate now, as far as windows say. */
export function gateOf(
  state: RolloutEngineState,
  of: { readonly fleet: Fleet; readonly rollout: RolloutRecord; readonly action: WindowAction },
  now: Now,
): WindowGate {
  const { action, fleet, rollout } = of
  if (rollout.state.kind === 'RollingBack' && rollout.strategy.rollback.windows === 'Ignore') return open
  const { windows } = limitsOf(state, fleet)
  if (windows.length === 0) return open
  const known = fleet.schedule
  const age = known === null ? Number.NaN : now.wallMs - known.fromMs
  const isFresh = known?.windows === windows && age >= 0 && age < lookAheadMs / 2
  const schedule = isFresh ? known : scheduleOf(windows, now.wallMs)
  fleet.schedule = schedule
  return gateAt(schedule.openings[action], needOf(rollout, action), now.wallMs)
}

function scheduleOf(windows: Parameters<typeof openingsFrom>[0], fromMs: number): Schedule {
  const openings = {
    Download: openingsFrom(windows, 'Download', fromMs),
    Activate: openingsFrom(windows, 'Activate', fromMs),
  }
  return { windows, fromMs, openings }
}

/** An activation must be able to end inside its window by its deadlines; a pull goes on in the next one. */
export function needOf({ strategy }: RolloutRecord, action: WindowAction): number {
  return action === 'Download' ? 1 : strategy.deadlines.activateMs + strategy.deadlines.healthMs
}

/** Milliseconds until a window opens or ends for a rollout that has hosts waiting for one; null: nothing waits. */
export function timeToWindow(
  state: RolloutEngineState,
  at: { readonly fleet: Fleet; readonly rollout: Rollout },
  now: Now,
): number | null {
  const waits = (['Download', 'Activate'] as const).flatMap((action) => {
    if (!at.rollout.buckets.some((bucket) => waiting(bucket, action) > 0)) return []
    const gate = gateOf(state, { ...at, rollout: at.rollout.record, action }, now)
    const turnMs = gate.kind === 'Open' ? gate.untilMs : (gate.next?.startMs ?? null)
    // The last instant of a gate is still open.
    return turnMs === null ? [] : [turnMs - now.wallMs + Number(gate.kind === 'Open')]
  })
  return waits.length === 0 ? null : Math.min(...waits)
}

function waiting(bucket: Bucket, action: WindowAction): number {
  return action === 'Download' ? bucket.toStage.size : bucket.toActivate.size
}
