import { abandon } from './advance.ts'
import { rolledBack } from './fall-back.ts'
import { stay } from './transition.ts'
import type { HostFacts } from './facts.ts'
import type { State, Step } from './types.ts'

/** What a person made boot is taken over as it is; a later activation of the agent's own ends it. */
export function noted(state: State, { moved }: Pick<HostFacts, 'moved'>): State {
  const { moved: before, ...rest } = state
  if (moved === undefined || moved.id === state.firstMove) return before === undefined ? state : rest
  return moved.id === before?.id ? state : { ...state, moved }
}

/** A look may come late: that of another boot says nothing. */
export function onLooked(before: State, facts: Omit<HostFacts, 'evidence'>, nowMs: number): Step {
  if (facts.bootId !== before.booted.bootId) return stay(before)
  const state = noted({ ...before, booted: { ...before.booted, default: facts.default } }, facts)
  return left(before, state, nowMs) ?? stay(state)
}

/**
 * What a person has just overtaken is let go of, and never taken back: a step that is under way ends without a
 * verdict, for it was not the image's fault. One that failed before stays failed. Null: nothing is under way.
 */
export function left(before: State, state: State, nowMs: number): Step | null {
  if (state.moved === undefined || state.moved.id === before.moved?.id) return null
  const { at } = state
  switch (at.phase) {
    case 'Downloading':
    case 'Ready':
    case 'Staging':
    case 'Staged':
    case 'Activating':
    case 'Rebooting':
    case 'Blessing':
      return abandon(state, nowMs)
    case 'Verifying':
      return at.commit === null ? null : abandon(state, nowMs)
    case 'RollingBack':
      return rolledBack(state, at, nowMs)
    case 'Idle':
    case 'Healthy':
    case 'Failed':
    case 'RolledBack':
    case 'Judging':
      return null
  }
}
