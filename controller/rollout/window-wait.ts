import { fleetBlock } from './budget.ts'
import { gateOf } from './schedule.ts'
import { currentRollout, writeRollout } from './state-entries.ts'
import type { Bucket, Fleet, RolloutEngineState } from './state.ts'
import type { Changes } from './changes.ts'
import type { Now } from './now.ts'
import type { RolloutRecord } from './records.ts'
import { activeWaveIndex } from './waves.ts'

/**
 * Says of the active wave whether it runs or waits for a window or the end of a freeze. Time that it waits does not
 * count against its deadline. Running again is durable before anything is granted.
 */
export function waitForWindows(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const rollout = currentRollout(state, fleet)
  if (rollout?.record.state.kind !== 'Progressing' || fleetBlock(state, fleet) !== null) return
  const { waves } = rollout.record
  const index = activeWaveIndex(waves)
  const wave = waves[index]
  if (wave?.state !== 'Running' && wave?.state !== 'WaitingWindow') return
  const at = { fleet, rollout: rollout.record, bucket: rollout.buckets[index] as Bucket }
  const is = isWaiting(state, at, changes.now) ? 'WaitingWindow' : 'Running'
  if (is === wave.state) return
  writeRollout(rollout, changes, { ...rollout.record, waves: waves.with(index, { ...wave, state: is }) })
  changes.again = true
}

/** Nobody holds a lease, and of those that could get one next all wait for a window or a freeze. */
function isWaiting(
  state: RolloutEngineState,
  at: { readonly fleet: Fleet; readonly rollout: RolloutRecord; readonly bucket: Bucket },
  now: Now,
): boolean {
  const { bucket } = at
  const { toActivate, toStage } = bucket
  const holders = bucket.inProgress - toActivate.size - bucket.silentStaged
  if (holders > 0 || toActivate.size + toStage.size === 0) return false
  const mayStage = toStage.size > 0 && gateOf(state, { ...at, action: 'Download' }, now).kind === 'Open'
  const isFrozen = toActivate.frozenGroups === toActivate.groups.size
  const mayActivate =
    toActivate.size > 0 && !isFrozen && gateOf(state, { ...at, action: 'Activate' }, now).kind === 'Open'
  return !mayStage && !mayActivate
}
