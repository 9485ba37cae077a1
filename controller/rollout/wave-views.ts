import { bucketIndexOf } from './bucket-index.ts'
import { describeGate } from './gate-views.ts'
import type { GateView } from './gate-views.ts'
import { isEnded, isFailure, isWithdrawn } from './phases.ts'
import type { Bucket, Rollout, RolloutEngineState } from './state.ts'
import type { Now } from './now.ts'
import type { WaveRecord } from './records.ts'
import { waveSentence } from './wave-sentences.ts'
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
  readonly gate: GateView
}

export type Counts = Pick<
  Bucket,
  'members' | 'pending' | 'inProgress' | 'succeeded' | 'failed' | 'skipped' | 'regressed'
>

export function describeWaves(state: RolloutEngineState, rollout: Rollout, now: Now): readonly WaveView[] {
  const { waves } = rollout.record
  const isCurrent = state.fleets.get(rollout.record.fleet)?.record.rolloutId === rollout.record.id
  const counts: readonly Counts[] = isCurrent ? rollout.buckets : countFormer(state, rollout)
  return waves.map((wave, index) =>
    describeWave(rollout, wave, {
      counts: counts[index] as Counts,
      gate: describeGate(state, { rollout, index }, now),
    }),
  )
}

function describeWave(
  rollout: Rollout,
  wave: WaveRecord,
  { counts, gate }: { readonly counts: Counts; readonly gate: GateView },
): WaveView {
  const isOver = isPastGrants(wave.state)
  return {
    name: wave.name,
    state: wave.state,
    hostsTotal: counts.members,
    hostsSucceeded: counts.succeeded,
    hostsFailed: counts.failed,
    hostsInProgress: counts.inProgress,
    hostsSkipped: counts.skipped + (isOver ? counts.pending : 0),
    message: waveSentence({ wave, gate, counts, active: activeName(rollout) }),
    gate,
  }
}

/** Whoever is still pending in such a wave is left behind. */
function isPastGrants(state: WaveRecord['state']): boolean {
  return ['Succeeded', 'Skipped', 'Soaking', 'Analysing', 'AwaitingApproval'].includes(state)
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
    regressed: 0,
  }))
  for (const host of state.hosts.values()) {
    const phase = host.grants.get(rollout.record.id)?.phase
    const count = phase && counts[bucketIndexOf(rollout, host)]
    if (!phase || !count) continue
    count.members += 1
    if (phase === 'Succeeded') count.succeeded += 1
    if (isFailure(phase)) count.failed += 1
    if (isWithdrawn(phase) || phase === 'Inconclusive') count.skipped += 1
    if (!isEnded(phase)) count.inProgress += 1
  }
  return counts
}

function activeName({ record }: Rollout): string {
  return record.waves[activeWaveIndex(record.waves)]?.name ?? ''
}

/** The wave that a rollout is at, for people: `wave 2/3 "tenth": soaking, 11h58m left`. */
export function activeWaveSentence(state: RolloutEngineState, rollout: Rollout, now: Now): string {
  const { waves } = rollout.record
  const index = activeWaveIndex(waves)
  const view = describeWaves(state, rollout, now)[index]
  if (view === undefined) return 'every wave is over'
  return `wave ${index + 1}/${waves.length} "${view.name}": ${view.message}`
}
