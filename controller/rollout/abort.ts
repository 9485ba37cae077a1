import { recountFleet } from './contribution.ts'
import { withdraw } from './grants.ts'
import { currentRollout, hostOf, writeRollout } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Fleet, Rollout, RolloutEngineState } from './state.ts'
import type { VerbRecord, WaveRecord } from './records.ts'
import { withVerb } from './verb-log.ts'
import { activeWaveIndex } from './waves.ts'

type Said = { readonly rollout: Rollout; readonly said: VerbRecord }

/** Durable before any lease is taken back: a wave whose hosts were cancelled must never pass for one that is done. */
export function abort(state: RolloutEngineState, changes: Changes, { rollout, said }: Said): void {
  const { record } = rollout
  if (record.state.kind !== 'Progressing' && record.state.kind !== 'Paused') return
  const { actor, atMs, reason } = said
  const active = activeWaveIndex(record.waves)
  const waves = record.waves.map((wave, index): WaveRecord => {
    return active !== -1 && index >= active ? { ...wave, state: 'Cancelled' } : wave
  })
  const aborted = { kind: 'Aborted', atMs, actor, reason } as const
  writeRollout(rollout, changes, { ...withVerb(record, said), waves, state: aborted })
  rollout.leasesLeft = true
  recountFleet(state, changes, record.fleet)
  changes.again = true
}

/** No host passes its commit point any more; those beyond it, and those on their way to stable or a pin, go on. */
export function takeBackAborted(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const rollout = currentRollout(state, fleet)
  if (!rollout?.leasesLeft) return
  if (changes.writes.has(`rollout ${rollout.record.id}`)) {
    changes.again = true
    return
  }
  rollout.leasesLeft = false
  if (rollout.record.state.kind !== 'Aborted') return
  const message = `aborted by ${rollout.record.state.actor}`
  for (const id of [...rollout.open].toSorted()) {
    const grant = hostOf(state, id).grants.get(rollout.record.id)
    if (grant?.direction !== 'Forward' || grant.pinned) continue
    withdraw(state, changes, { grant, phase: 'Cancelled', message })
  }
}
