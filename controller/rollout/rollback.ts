import { fleetBlock } from './budget.ts'
import { denialOf } from './fleet-record.ts'
import { recountFleet } from './contribution.ts'
import { denyDigest } from './denial.ts'
import { withdrawAll } from './grants.ts'
import { pauseRollout } from './pause.ts'
import { isFailure } from './phases.ts'
import { currentRollout, fleetOf, writeRollout } from './state-entries.ts'
import { nameOf } from './host-names.ts'
import type { Changes } from './changes.ts'
import type { Fleet, Rollout, RolloutEngineState } from './state.ts'
import type { RolloutRecord, VerbRecord, WaveRecord } from './records.ts'
import { activeWaveIndex } from './waves.ts'

type Failing = {
  readonly fleet: Fleet
  readonly rollout: Rollout
  readonly index: number
  /** Null: the hosts that failed say it. */
  readonly cause: string | null
}

/**
 * The digest is denied before anything else is durable. Without a stable image to go back to, or with the same
 * digest as stable under another revision, there is nothing to re-apply: people decide.
 */
export function failWave(state: RolloutEngineState, changes: Changes, failing: Failing): void {
  const { fleet, rollout, index } = failing
  const { record } = rollout
  const wave = record.waves[index] as WaveRecord
  const denial = denialOf(fleet, record.image.digest)
  const cause = denial?.reason ?? failing.cause ?? causeOf(state, rollout, wave)
  const atMs = changes.now.wallMs
  const isStable = fleet.record.stable?.image.digest === record.image.digest
  if (wave.onFailure === 'Pause' || isStable) {
    pauseRollout(rollout, changes, { kind: 'Failure', message: cause, atMs })
    return
  }
  const denied = { fleet, digest: record.image.digest, reason: cause, origin: 'Rollback', actor: '' } as const
  denyDigest(state, changes, denied)
  withdrawAll(state, changes, {
    rollout,
    phase: 'Cancelled',
    message: 'withdrawn: the rollout failed',
  })
  if (record.from === null) {
    pauseRollout(rollout, changes, { kind: 'Failure', message: cause, atMs })
    return
  }
  goBack(state, changes, { rollout, index, cause })
}

/** Whatever it was denied and withdrawn for, from here on stable is re-applied. */
function goBack(
  state: RolloutEngineState,
  changes: Changes,
  of: { readonly rollout: Rollout; readonly index: number; readonly cause: string },
): void {
  const { cause, index, rollout } = of
  const { record } = rollout
  writeRollout(rollout, changes, {
    ...record,
    waves: record.waves.map((each, at) => failedWave(each, at - index, cause)),
    state: { kind: 'RollingBack', cause },
  })
  recountFleet(state, changes, record.fleet)
  changes.again = true
}

/** Whether there is anything else to go back to. */
export function canGoBack({ from, image }: RolloutRecord): boolean {
  return from !== null && from.image.digest !== image.digest
}

/** An operator's order does what a failed wave does, whatever its onFailure says. */
export function rollBack(
  state: RolloutEngineState,
  changes: Changes,
  of: { readonly rollout: Rollout; readonly said: VerbRecord },
): void {
  const { rollout, said } = of
  const { image, fleet: name } = rollout.record
  const { actor, reason } = said
  const cause = `rolled back by ${actor}${reason === '' ? '' : `: "${reason}"`}`
  const fleet = fleetOf(state, name)
  denyDigest(state, changes, { fleet, digest: image.digest, reason: cause, origin: 'Rollback', actor })
  goBackNow(state, changes, { rollout, cause })
}

/** Why an operator's rollback, which a crash cut short behind the denial, goes on: that alone names an actor. */
export function causeOfHalfBack(fleet: Fleet, { record }: Rollout): string | null {
  const { kind } = record.state
  const isOpen = kind === 'Progressing' || kind === 'Paused' || kind === 'Aborted'
  const denial = denialOf(fleet, record.image.digest)
  if (!isOpen || !canGoBack(record) || denial?.origin !== 'Rollback') return null
  return denial.actor === '' ? null : denial.reason
}

export function goBackNow(
  state: RolloutEngineState,
  changes: Changes,
  { cause, rollout }: { readonly rollout: Rollout; readonly cause: string },
): void {
  const { waves } = rollout.record
  withdrawAll(state, changes, { rollout, phase: 'Cancelled', message: cause })
  const active = activeWaveIndex(waves)
  goBack(state, changes, { rollout, index: active === -1 ? waves.length - 1 : active, cause })
}

/** The failed wave's clock starts anew and times the rollback. */
function failedWave(wave: WaveRecord, distance: number, cause: string): WaveRecord {
  if (distance < 0) return wave
  return distance === 0
    ? { ...wave, state: 'Failed', ranMs: 0, note: cause }
    : { ...wave, state: 'Cancelled' }
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
    const reachable = bucket.toStage.size - bucket.pinsToStage
    left.reachable += reachable
    left.silent += bucket.toRollBack - reachable + bucket.silentStaged
    left.failed += bucket.rollbackFailed
  }
  const { waveMs } = record.strategy.deadlines
  const isLate = record.waves.some((wave) => wave.state === 'Failed' && wave.ranMs >= waveMs)
  if (left.inFlight + left.reachable > 0 || (left.silent > 0 && !isLate)) return
  const kind = left.failed > 0 ? 'RollbackFailed' : 'RolledBack'
  writeRollout(rollout, changes, { ...record, state: { kind, atMs: changes.now.wallMs, cause } })
  recountFleet(state, changes, record.fleet)
  changes.again = true
}
