import { denialOf, fleetBlock } from './budget.ts'
import { recountFleet } from './contribution.ts'
import { withdrawAll } from './grants.ts'
import { pauseRollout } from './pause.ts'
import { isFailure } from './phases.ts'
import { currentRollout, nameOf, writeFleet, writeRollout } from './state.ts'
import type { Changes, Fleet, Rollout, RolloutEngineState } from './state.ts'
import type { RolloutRecord, WaveRecord } from './types.ts'

type Failing = { readonly fleet: Fleet; readonly rollout: Rollout; readonly index: number }

/**
 * The digest is denied before anything else is durable. Without a stable image to go back to, or with the same
 * digest as stable under another revision, there is nothing to re-apply: people decide.
 */
export function failWave(state: RolloutEngineState, changes: Changes, failing: Failing): void {
  const { fleet, rollout, index } = failing
  const { record } = rollout
  const wave = record.waves[index] as WaveRecord
  const cause = denialOf(fleet, record.image.digest)?.reason ?? causeOf(state, rollout, wave)
  const atMs = changes.now.wallMs
  const isStable = fleet.record.stable?.image.digest === record.image.digest
  if (wave.onFailure === 'Pause' || isStable) {
    pauseRollout(rollout, changes, { kind: 'Failure', message: cause, atMs })
    return
  }
  deny(state, changes, { fleet, digest: record.image.digest, reason: cause })
  withdrawAll(state, changes, {
    rolloutId: record.id,
    phase: 'Cancelled',
    message: 'withdrawn: the rollout failed',
  })
  if (record.from === null) {
    pauseRollout(rollout, changes, { kind: 'Failure', message: cause, atMs })
    return
  }
  writeRollout(rollout, changes, {
    ...record,
    waves: record.waves.map((each, at) => failedWave(each, at - index)),
    state: { kind: 'RollingBack', cause },
  })
  recountFleet(state, record.fleet)
  changes.again = true
}

/** The failed wave's clock starts anew and times the rollback. */
function failedWave(wave: WaveRecord, distance: number): WaveRecord {
  if (distance < 0) return wave
  return distance === 0 ? { ...wave, state: 'Failed', ranMs: 0 } : { ...wave, state: 'Cancelled' }
}

function deny(
  state: RolloutEngineState,
  changes: Changes,
  denial: { readonly fleet: Fleet; readonly digest: string; readonly reason: string },
): void {
  const { digest, fleet, reason } = denial
  if (denialOf(fleet, digest) !== null) return
  const denied = [...fleet.record.denied, { digest, reason, atMs: changes.now.wallMs }]
  writeFleet(state, changes, { ...fleet.record, denied })
}

/** Names the first failed host of the order, so that every controller says the same. */
function causeOf(state: RolloutEngineState, rollout: Rollout, wave: WaveRecord): string {
  const failed = failedHosts(state, rollout.record)
  const first = failed[0] as string
  const more = failed.length > 1 ? ` and ${failed.length - 1} more` : ''
  return `${first}${more} in wave "${wave.name}"`
}

function failedHosts(state: RolloutEngineState, rollout: RolloutRecord): readonly string[] {
  const said: string[] = []
  for (const host of state.hosts.values()) {
    const grant = host.grants.get(rollout.id)
    if (grant !== undefined && isFailure(grant.phase)) said.push(`${nameOf(host)} ${grant.message}`)
  }
  return said.toSorted()
}

/** Ends a rollback when nothing is left to do, or when only silent hosts are left and the deadline is over. */
export function endRollback(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const rollout = currentRollout(state, fleet)
  if (rollout?.record.state.kind !== 'RollingBack' || fleetBlock(state, fleet) !== null) return
  const { record } = rollout
  const { cause } = rollout.record.state
  const left = { inFlight: 0, reachable: 0, silent: 0, failed: 0 }
  for (const bucket of rollout.buckets) {
    left.inFlight += bucket.inProgress - bucket.silentStaged
    left.reachable += bucket.toStage.length
    left.silent += bucket.toRollBack - bucket.toStage.length + bucket.silentStaged
    left.failed += bucket.rollbackFailed
  }
  const { waveMs } = record.strategy.deadlines
  const isLate = record.waves.some((wave) => wave.state === 'Failed' && wave.ranMs >= waveMs)
  if (left.inFlight + left.reachable > 0 || (left.silent > 0 && !isLate)) return
  const kind = left.failed > 0 ? 'RollbackFailed' : 'RolledBack'
  writeRollout(rollout, changes, { ...record, state: { kind, atMs: changes.now.wallMs, cause } })
  recountFleet(state, record.fleet)
  changes.again = true
}
