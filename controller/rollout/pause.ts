import { writeRollout } from './state.ts'
import type { Changes, Rollout } from './state.ts'
import type { PauseCause } from './states.ts'

export function pauseRollout(rollout: Rollout, changes: Changes, cause: PauseCause): void {
  writeRollout(rollout, changes, { ...rollout.record, state: { kind: 'Paused', cause } })
}

/**
 * The gate is judged again at once with today's counts, so a pause whose reason still holds comes back. Only the
 * deadline starts anew: without that a late wave could never be resumed. Whoever calls makes sure that the digest
 * is not denied: then only git can go on. Grants wait until the header no longer says Paused.
 */
export function resumeRollout(rollout: Rollout, changes: Changes): void {
  if (rollout.record.state.kind !== 'Paused') return
  const { kind } = rollout.record.state.cause
  const again = kind === 'Deadline' || kind === 'Unreachable'
  const waves = rollout.record.waves.map((wave) =>
    again && wave.state === 'Running' ? { ...wave, ranMs: 0 } : wave,
  )
  writeRollout(rollout, changes, { ...rollout.record, waves, state: { kind: 'Progressing' } })
  changes.again = true
}
