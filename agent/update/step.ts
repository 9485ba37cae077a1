import { abandon, advance } from './advance.ts'
import { redo } from './redo.ts'
import { onLooked } from './local-move.ts'
import { onResult } from './results.ts'
import { onStarted } from './started.ts'
import { allow, deny, mayStage, stay } from './transition.ts'
import type { Event, State, Step } from './types.ts'

/*
 *            stage granted          stage granted         activate granted
 *   Idle ──▶ Downloading ──▶ Ready ──▶ Staging ──▶ Staged ──▶ Activating ═╗ commit point: default is set
 *    │ ▲          │  forget: plan withdrawn,  │       │                    ▼
 *    │ └──────────┴──── replaced or expired ──┴───────┘               Rebooting ─── reboot ──┐
 *    │ image runs already                                                                    │ started
 *    └──────────────────────────────▶ Verifying ◀── target booted under a new boot id ───────┤
 *                                      │     │                                               │ other booted
 *                            all passed│     │a check failed, deadline, too many boots       │
 *                                      ▼     ▼                                               ▼
 *                               Blessing ──▶ RollingBack ── default set back, rebooted ──▶ RolledBack ◀─┐ checks of
 *                                      │ cannot      │ only the network was lost             ▲     └────┘ what came back
 *                                      ▼             ▼                                       │
 *                                  Healthy        Judging ── does it answer here? ───────────┘
 *   An operation that cannot succeed ends in Failed; after the default may have changed, by way of RollingBack.
 */

/**
 * One event at a time. `next` must be durably on disk before any effect runs; an effect may run twice, because
 * a crash may come between it and the record of its result.
 */
export function step(state: State, event: Event, nowMs: number): Step {
  switch (event.kind) {
    case 'planAccepted':
      return advance(deny({ ...allow(state, event.plan), accepted: event.plan }, event.plan.deny), nowMs)
    case 'started':
      return onStarted(state, event, nowMs)
    case 'timer':
      return onTimer(state, nowMs)
    case 'looked':
      return onLooked(state, event.facts, nowMs)
    case 'downloaded':
    case 'staged':
    case 'activated':
    case 'restored':
    case 'blessed':
    case 'verdict':
    case 'failed':
      return onResult(state, event, nowMs)
  }
}

function onTimer(state: State, nowMs: number): Step {
  const { at } = state
  if ((at.phase === 'Downloading' || at.phase === 'Staging') && !mayStage(state, at.plan, nowMs)) {
    return abandon(state, nowMs)
  }
  if (!('retry' in at) || at.retry.atMs === null || nowMs < at.retry.atMs) return stay(state)
  return redo(state, at, nowMs)
}

/** When a timer event could change something; null: never by itself. */
export function wakeAtMs({ at }: State): number | null {
  if (!('retry' in at)) return null
  const retryAtMs = at.retry.atMs
  const stageUntilMs = at.phase === 'Downloading' || at.phase === 'Staging' ? at.plan.stageUntilMs : null
  if (retryAtMs === null || stageUntilMs === null) return retryAtMs ?? stageUntilMs
  return Math.min(retryAtMs, stageUntilMs)
}
