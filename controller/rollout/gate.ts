import { passTime, timeToMeasure } from './analysis.ts'
import { fleetBlock } from './budget.ts'
import { denialOf } from './fleet-record.ts'
import { endGrant } from './grants.ts'
import { bucketIndexOf } from './bucket-index.ts'
import { recountFleet } from './contribution.ts'
import { pauseRollout } from './pause.ts'
import { causeOfHalfBack, failWave, goBackNow } from './rollback.ts'
import { currentRollout, hostOf, writeFleet, writeRollout } from './state-entries.ts'
import type { Bucket, Fleet, Rollout, RolloutEngineState } from './state.ts'
import type { Changes } from './changes.ts'
import type { RolloutRecord, WaveRecord } from './records.ts'
import { stepWave } from './wave-steps.ts'
import type { Step } from './wave-steps.ts'
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
  if (wave === undefined || wave.state === 'WaitingWindow') return
  rollout.record = { ...rollout.record, waves: waves.with(index, timePassed(wave, elapsedMs)) }
  rollout.unsavedMs += elapsedMs
  if (rollout.unsavedMs >= saveTimeEveryMs) writeRollout(rollout, changes, rollout.record)
}

/** Each gate has its own clock; a closed window stops them all. */
function timePassed(wave: WaveRecord, elapsedMs: number): WaveRecord {
  if (wave.state === 'Soaking') {
    const soakedMs = Math.min(wave.soakMs, wave.soakedMs + elapsedMs)
    return { ...wave, soakedMs, measured: passTime(wave, elapsedMs) }
  }
  if (wave.state === 'Analysing') return { ...wave, measured: passTime(wave, elapsedMs) }
  if (wave.state === 'AwaitingApproval') return { ...wave, awaitedMs: wave.awaitedMs + elapsedMs }
  return { ...wave, ranMs: wave.ranMs + elapsedMs }
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
  const cause = causeOfHalfBack(fleet, rollout)
  if (cause !== null) return goBackNow(state, changes, { rollout, cause })
  while (rollout.record.state.kind === 'Progressing') {
    const index = activeWaveIndex(rollout.record.waves)
    if (index === -1) return succeed(state, changes, { fleet, rollout })
    const next = isDenied ? deniedNow : stepWave(rollout, index)
    if (next === null) return
    if (next.kind === 'failed') return failWave(state, changes, { fleet, rollout, index, cause: next.cause })
    if (next.kind === 'pause')
      return pauseRollout(rollout, changes, { ...next.cause, atMs: changes.now.wallMs })
    if (next.wave.state !== 'Running') leaveBehind(state, changes, { rollout, index })
    writeRollout(rollout, changes, {
      ...rollout.record,
      waves: rollout.record.waves.with(index, next.wave),
    })
    changes.again = true
  }
}

const deniedNow: Step = { kind: 'failed', cause: null }

/** Staged hosts that are silent, or that the wave was promoted past, give way; the keeper catches up with them. */
function leaveBehind(
  state: RolloutEngineState,
  changes: Changes,
  at: { readonly rollout: Rollout; readonly index: number },
): void {
  const { rollout, index } = at
  const bucket = rollout.buckets[index] as Bucket
  if (bucket.silentStaged + bucket.toActivate.size === 0) return
  const { leavesBehind } = rollout.record.waves[index] as WaveRecord
  const message = leavesBehind ? 'its wave was promoted without it' : 'silent when its wave ended'
  for (const id of [...rollout.open].toSorted()) {
    const host = hostOf(state, id)
    const grant = host.grants.get(rollout.record.id)
    if (grant?.phase === 'AwaitingSlot' && bucketIndexOf(rollout, host) === index) {
      endGrant(state, changes, { grant, phase: 'Skipped', message })
    }
  }
}

/**
 * Stable moves when it is durable that every wave is over, and before the rollout says so: after a crash in between
 * it succeeds once more, and no order, measurement or report that a crash lost has moved it.
 */
function succeed(
  state: RolloutEngineState,
  changes: Changes,
  of: { readonly fleet: Fleet; readonly rollout: Rollout },
): void {
  const { record } = of.rollout
  changes.again = true
  if (changes.writes.has(`rollout ${record.id}`)) return
  const stable = { revision: record.revision, rolloutId: record.id, image: record.image }
  writeFleet(state, changes, { ...of.fleet.record, stable })
  writeRollout(of.rollout, changes, { ...record, state: { kind: 'Succeeded', atMs: changes.now.wallMs } })
  recountFleet(state, changes, record.fleet)
}

/** When time alone may move the active wave, ask for a measurement, or must be saved. */
export function timeToGate(state: RolloutEngineState, fleet: Fleet): number | null {
  const rollout = currentRollout(state, fleet)
  if (rollout === null || fleetBlock(state, fleet) !== null) return null
  const wave = rollout.record.waves[timedWaveIndex(rollout.record)]
  if (wave === undefined || wave.state === 'WaitingWindow') return null
  const left = timeLeft(rollout.record, wave)
  const waits = [left, timeToMeasure(wave)].filter((wait) => wait !== null && wait > 0)
  return Math.min(saveTimeEveryMs - rollout.unsavedMs, ...(waits as readonly number[]))
}

function timeLeft({ strategy }: RolloutRecord, wave: WaveRecord): number | null {
  if (wave.state === 'Soaking') return wave.soakMs - wave.soakedMs
  if (wave.state === 'Analysing') return null
  if (wave.state === 'AwaitingApproval' && wave.approval !== null) {
    return wave.approval.expiresAfterMs - wave.awaitedMs
  }
  return strategy.deadlines.waveMs - wave.ranMs
}
