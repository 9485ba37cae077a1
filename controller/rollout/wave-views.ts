import { bucketIndexOf } from './contribution.ts'
import { isEnded, isFailure, isWithdrawn } from './phases.ts'
import { duration } from './sentences.ts'
import type { Bucket, Rollout, RolloutEngineState } from './state.ts'
import type { WaveRecord } from './types.ts'
import { activeWaveIndex } from './waves.ts'

export type WaveView = {
  readonly name: string
  readonly state: string
  readonly hostsTotal: number
  readonly hostsSucceeded: number
  readonly hostsFailed: number
  readonly hostsInProgress: number
  readonly hostsSkipped: number
  readonly message: string
}

export type Counts = Pick<Bucket, 'members' | 'pending' | 'inProgress' | 'succeeded' | 'failed' | 'skipped'>

export function describeWaves(state: RolloutEngineState, rollout: Rollout): readonly WaveView[] {
  const { waves } = rollout.record
  const isCurrent = state.fleets.get(rollout.record.fleet)?.record.rolloutId === rollout.record.id
  const counts: readonly Counts[] = isCurrent ? rollout.buckets : countFormer(state, rollout)
  return waves.map((wave, index) => describeWave(rollout, index, counts[index] as Counts))
}

function describeWave(rollout: Rollout, index: number, counts: Counts): WaveView {
  const wave = rollout.record.waves[index] as WaveRecord
  const isOver = wave.state === 'Succeeded' || wave.state === 'Skipped' || wave.state === 'Soaking'
  return {
    name: wave.name,
    state: wave.state,
    hostsTotal: counts.members,
    hostsSucceeded: counts.succeeded,
    hostsFailed: counts.failed,
    hostsInProgress: counts.inProgress,
    hostsSkipped: counts.skipped + (isOver ? counts.pending : 0),
    message: waveSentence(rollout, index, counts),
  }
}

/** A replaced rollout keeps no counters; its grants still tell how it ended. */
function countFormer(state: RolloutEngineState, rollout: Rollout): readonly Counts[] {
  const counts = rollout.buckets.map(() => ({
    members: 0,
    pending: 0,
    inProgress: 0,
    succeeded: 0,
    failed: 0,
    skipped: 0,
  }))
  for (const host of state.hosts.values()) {
    const phase = host.grants.get(rollout.record.id)?.phase
    const count = phase && counts[bucketIndexOf(rollout, host)]
    if (!phase || !count) continue
    count.members += 1
    if (phase === 'Succeeded') count.succeeded += 1
    if (isFailure(phase)) count.failed += 1
    if (isWithdrawn(phase)) count.skipped += 1
    if (!isEnded(phase)) count.inProgress += 1
  }
  return counts
}

function waveSentence(rollout: Rollout, index: number, counts: Counts): string {
  const wave = rollout.record.waves[index] as WaveRecord
  switch (wave.state) {
    case 'Pending':
      return `waits for wave "${activeName(rollout)}"`
    case 'Running':
      return `${counts.succeeded}/${counts.members} done${counts.failed > 0 ? `, ${counts.failed} failed` : ''}`
    case 'Soaking':
      return `soaking, ${duration(wave.soakMs - wave.soakedMs)} left`
    case 'Succeeded':
      return wave.soakMs > 0 ? `soaked ${duration(wave.soakedMs)}` : 'done'
    case 'Skipped':
      return 'skipped: no hosts'
    case 'Failed':
      return `${counts.failed} of ${counts.members} failed`
    case 'Cancelled':
      return 'cancelled'
  }
}

function activeName({ record }: Rollout): string {
  return (record.waves[activeWaveIndex(record.waves)] as WaveRecord).name
}

/** The wave that a rollout is at, for people: `wave 2/3 "tenth": soaking, 11h58m left`. */
export function activeWaveSentence(state: RolloutEngineState, rollout: Rollout): string {
  const { waves } = rollout.record
  const index = activeWaveIndex(waves)
  const view = describeWaves(state, rollout)[index] as WaveView
  return `wave ${index + 1}/${waves.length} "${view.name}": ${view.message}`
}
