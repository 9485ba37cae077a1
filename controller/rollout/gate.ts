import type { FailureLimit } from '../desired-state/types.ts'
import { denialOf, fleetBlock } from './budget.ts'
import { endGrant } from './grants.ts'
import { bucketIndexOf, recountFleet } from './contribution.ts'
import { pauseRollout } from './pause.ts'
import { failWave } from './rollback.ts'
import { currentRollout, writeFleet, writeRollout } from './state.ts'
import type { Bucket, Changes, Fleet, Rollout, RolloutEngineState } from './state.ts'
import type { RolloutRecord, WaveRecord } from './types.ts'
import { activeWaveIndex } from './waves.ts'

/** Header writes are rare: time that passes in a wave is saved this often, and with every change of the header. */
export const saveTimeEveryMs = 60_000

/** Counts the time since the last call into the wave that was active during it. Paused and blocked time is none. */
export function advanceTime(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const rollout = currentRollout(state, fleet)
  const { elapsedMs } = changes.now
  if (rollout === null || elapsedMs === 0 || fleetBlock(state, fleet) !== null) return
  const { waves } = rollout.record
  const index = timedWaveIndex(rollout.record)
  const wave = waves[index]
  if (wave === undefined) return
  const timed =
    wave.state === 'Soaking'
      ? { ...wave, soakedMs: Math.min(wave.soakMs, wave.soakedMs + elapsedMs) }
      : { ...wave, ranMs: wave.ranMs + elapsedMs }
  rollout.record = { ...rollout.record, waves: waves.with(index, timed) }
  rollout.unsavedMs += elapsedMs
  if (rollout.unsavedMs >= saveTimeEveryMs) writeRollout(rollout, changes, rollout.record)
}

/** A rollback is timed in the wave that failed. */
function timedWaveIndex(rollout: RolloutRecord): number {
  if (rollout.state.kind === 'Progressing') return activeWaveIndex(rollout.waves)
  if (rollout.state.kind !== 'RollingBack') return -1
  return rollout.waves.findIndex((wave) => wave.state === 'Failed')
}

/**
 * Moves the active wave as far as today's counts allow. A denial of the rollout's own digest that is durable while
 * its header still says Progressing is a failure that a crash cut short.
 */
export function passGates(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const rollout = currentRollout(state, fleet)
  if (rollout === null || fleet.members.size === 0) return
  const block = fleetBlock(state, fleet)
  const isDenied = denialOf(fleet, rollout.record.image.digest) !== null
  if (block !== null && !(block.kind === 'Denied' && isDenied)) return
  while (rollout.record.state.kind === 'Progressing') {
    const index = activeWaveIndex(rollout.record.waves)
    if (index === -1) return succeed(state, changes, { fleet, rollout })
    const next = isDenied ? failed : stepWave(rollout, index)
    if (next === null) return
    if (next.kind === 'failed') return failWave(state, changes, { fleet, rollout, index })
    if (next.kind === 'pause')
      return pauseRollout(rollout, changes, { ...next.cause, atMs: changes.now.wallMs })
    if (next.wave.state !== 'Running') skipSilent(state, changes, { rollout, index })
    writeRollout(rollout, changes, {
      ...rollout.record,
      waves: rollout.record.waves.with(index, next.wave),
    })
    changes.again = true
  }
}

type Step =
  | { readonly kind: 'move'; readonly wave: WaveRecord }
  | { readonly kind: 'failed' }
  | {
      readonly kind: 'pause'
      readonly cause: { readonly kind: 'Unreachable' | 'Deadline'; readonly message: string }
    }

const failed = { kind: 'failed' } as const

function stepWave(rollout: Rollout, index: number): Step | null {
  const wave = rollout.record.waves[index] as WaveRecord
  const bucket = rollout.buckets[index] as Bucket
  if (bucket.members === 0) return { kind: 'move', wave: { ...wave, state: 'Skipped' } }
  if (wave.state === 'Pending') return { kind: 'move', wave: { ...wave, state: 'Running' } }
  if (exceedsLimit(bucket, wave.failureLimit)) return { kind: 'failed' }
  if (wave.state === 'Soaking') return stepSoak(wave, bucket)
  if (wave.ranMs >= rollout.record.strategy.deadlines.waveMs) return stepLate(wave, bucket)
  const open = bucket.pending + bucket.inProgress + bucket.regressed
  return open > 0 ? null : endWave(wave, bucket)
}

/** Integers only. A host counts as attempted from its activate grant on, or when it ended before. */
export function exceedsLimit(bucket: Bucket, limit: FailureLimit): boolean {
  const { failed } = bucket
  const attempted = bucket.succeeded + failed + bucket.activated
  if (attempted < limit.minAttempted) return false
  return limit.max.kind === 'count' ? failed > limit.max.count : failed * 100 > limit.max.percent * attempted
}

/** What was granted after all, or is no longer healthy, is waited for again. */
function stepSoak(wave: WaveRecord, bucket: Bucket): Step | null {
  if (bucket.inProgress > 0 || bucket.regressed > 0) {
    return { kind: 'move', wave: { ...wave, state: 'Running', soakedMs: 0 } }
  }
  return wave.soakedMs < wave.soakMs ? null : { kind: 'move', wave: { ...wave, state: 'Succeeded' } }
}

/** Past the deadline silent hosts are left behind; hosts that hold a lease have their own bound. */
function stepLate(wave: WaveRecord, bucket: Bucket): Step | null {
  const holders = bucket.inProgress - bucket.toActivate.length - bucket.silentStaged
  if (holders > 0) return null
  const reachable = bucket.pending - bucket.silent + bucket.toActivate.length
  if (reachable + bucket.regressed > 0) {
    const message = `wave "${wave.name}" passed its deadline with ${reachable} reachable and ${bucket.regressed} no longer healthy hosts left`
    return { kind: 'pause', cause: { kind: 'Deadline', message } }
  }
  if (bucket.pending + bucket.inProgress > 0 && bucket.succeeded + bucket.failed === 0) {
    const message = `no host of wave "${wave.name}" could be reached before its deadline`
    return { kind: 'pause', cause: { kind: 'Unreachable', message } }
  }
  return endWave(wave, bucket)
}

/** Failures within the limit are tolerated, but a wave in which none succeeded has proven nothing. */
function endWave(wave: WaveRecord, bucket: Bucket): Step {
  if (bucket.succeeded === 0) {
    return bucket.failed > 0 ? { kind: 'failed' } : { kind: 'move', wave: { ...wave, state: 'Skipped' } }
  }
  return { kind: 'move', wave: { ...wave, state: wave.soakMs > wave.soakedMs ? 'Soaking' : 'Succeeded' } }
}

/** Staged hosts that fell silent give way; the keeper catches up with them. */
function skipSilent(
  state: RolloutEngineState,
  changes: Changes,
  at: { readonly rollout: Rollout; readonly index: number },
): void {
  const { rollout, index } = at
  if ((rollout.buckets[index] as Bucket).silentStaged === 0) return
  for (const host of state.hosts.values()) {
    const grant = host.grants.get(rollout.record.id)
    if (grant?.phase === 'AwaitingSlot' && bucketIndexOf(rollout, host) === index) {
      endGrant(state, changes, { grant, phase: 'Skipped', message: 'silent when its wave ended' })
    }
  }
}

/** Stable moves first: after a crash in between the last gate is passed once more. */
function succeed(
  state: RolloutEngineState,
  changes: Changes,
  of: { readonly fleet: Fleet; readonly rollout: Rollout },
): void {
  const { record } = of.rollout
  const stable = { revision: record.revision, rolloutId: record.id, image: record.image }
  writeFleet(state, changes, { ...of.fleet.record, stable })
  writeRollout(of.rollout, changes, { ...record, state: { kind: 'Succeeded', atMs: changes.now.wallMs } })
  recountFleet(state, record.fleet)
  changes.again = true
}

/** When time alone may move the active wave, or must be saved. */
export function timeToGate(state: RolloutEngineState, fleet: Fleet): number | null {
  const rollout = currentRollout(state, fleet)
  if (rollout === null || fleetBlock(state, fleet) !== null) return null
  const { strategy, waves } = rollout.record
  const wave = waves[timedWaveIndex(rollout.record)]
  if (wave === undefined) return null
  const left = wave.state === 'Soaking' ? wave.soakMs - wave.soakedMs : strategy.deadlines.waveMs - wave.ranMs
  const toSave = saveTimeEveryMs - rollout.unsavedMs
  return left > 0 ? Math.min(left, toSave) : toSave
}
