import type { Analysis } from '../desired-state/types.ts'
import { analysisFailure, forGate, forSoak, hasPassed } from './analysis.ts'
import { maxInconclusive } from './needs.ts'
import { duration } from './sentences.ts'
import type { Bucket, Rollout } from './state.ts'
import type { PauseCause } from './states.ts'
import type { WaveRecord } from './records.ts'

/** What today's counts and times make of the active wave. */
export type Step =
  | { readonly kind: 'move'; readonly wave: WaveRecord }
  /** `cause` null: the hosts that failed say it. */
  | { readonly kind: 'failed'; readonly cause: string | null }
  | {
      readonly kind: 'pause'
      readonly cause: {
        readonly kind: Exclude<PauseCause['kind'], 'User' | 'Failure'>
        readonly message: string
      }
    }

/** Failures are judged before anything that could let the wave go on. */
export function stepWave({ buckets, record }: Rollout, index: number): Step | null {
  const wave = record.waves[index] as WaveRecord
  const bucket = buckets[index] as Bucket
  const { analysis, deadlines } = record.strategy
  if (bucket.members === 0) return stepEmpty(wave, 'no hosts')
  if (wave.state === 'Pending') return { kind: 'move', wave: { ...wave, state: 'Running' } }
  if (exceedsLimit(bucket, wave)) return { kind: 'failed', cause: null }
  if (wave.state === 'Running' || wave.state === 'WaitingWindow') {
    return stepHosts({ wave, bucket, analysis, isLate: wave.ranMs >= deadlines.waveMs })
  }
  const cause = analysisFailure(wave, analysis)
  if (cause !== null) return { kind: 'failed', cause }
  if (bucket.inProgress > 0 || regressedOf(wave, bucket) > 0) return { kind: 'move', wave: again(wave) }
  if (wave.state === 'Soaking') return wave.soakedMs < wave.soakMs ? null : afterSoak(wave, analysis)
  return wave.state === 'Analysing' ? stepAnalysing(wave, analysis) : stepApproval(wave)
}

/** What was granted after all, or is no longer healthy, is waited for; whatever the wave proved is proven anew. */
export function again(wave: WaveRecord): WaveRecord {
  return { ...wave, state: 'Running', soakedMs: 0, awaitedMs: 0, approvals: [], approved: null }
}

/** Integers only. A host counts as attempted from its activate grant on, or when it ended before. */
export function exceedsLimit(
  bucket: Pick<Bucket, 'succeeded' | 'failed' | 'activated'>,
  { failureLimit, forgivenFailures }: Pick<WaveRecord, 'failureLimit' | 'forgivenFailures'>,
): boolean {
  const failed = bucket.failed - forgivenFailures
  const attempted = bucket.succeeded + bucket.failed + bucket.activated
  if (failed <= 0 || attempted < failureLimit.minAttempted) return false
  const { max } = failureLimit
  return max.kind === 'count' ? failed > max.count : failed * 100 > max.percent * attempted
}

function regressedOf(wave: WaveRecord, bucket: Bucket): number {
  return Math.max(0, bucket.regressed - wave.forgivenRegressions)
}

function stepEmpty(wave: WaveRecord, why: string): Step {
  if (wave.onEmpty === 'Skip' || wave.leavesBehind) {
    return { kind: 'move', wave: { ...wave, state: 'Skipped', note: why } }
  }
  const message = `wave "${wave.name}" proves nothing and must not be empty: ${why}`
  return { kind: 'pause', cause: { kind: 'Inconclusive', message } }
}

type Hosts = {
  readonly wave: WaveRecord
  readonly bucket: Bucket
  readonly analysis: readonly Analysis[]
  readonly isLate: boolean
}

/** Hosts that hold a lease have their own bound; past the wave's, or when it was promoted, others are left behind. */
function stepHosts(hosts: Hosts): Step | null {
  const { bucket, isLate, wave } = hosts
  if (bucket.inconclusive - wave.forgiven > maxInconclusive) return stepUnheard(wave, bucket)
  const regressed = regressedOf(wave, bucket)
  const open = bucket.pending + bucket.inProgress
  if (open + regressed === 0) return endHosts(hosts, 0)
  const holders = bucket.inProgress - bucket.toActivate.size - bucket.silentStaged
  if (holders > 0 || !(isLate || wave.leavesBehind)) return null
  if (wave.leavesBehind && regressed === 0) return endHosts(hosts, open)
  return isLate ? stepLate(hosts, open) : null
}

/** So many hosts that reached nobody, also on the image that they ran before, are no matter of this image. */
function stepUnheard(wave: WaveRecord, bucket: Bucket): Step {
  const attempts = bucket.inconclusive - wave.forgiven
  const message = `${attempts} attempts of wave "${wave.name}" reached neither controller, NATS nor registry, with the new image or after falling back`
  return { kind: 'pause', cause: { kind: 'Unreachable', message } }
}

/** Only silent hosts are left behind by themselves, and not too many: that is probably our own fault. */
function stepLate(hosts: Hosts, open: number): Step {
  const { bucket, wave } = hosts
  const reachable = wave.leavesBehind ? 0 : bucket.pending - bucket.silent + bucket.toActivate.size
  const regressed = regressedOf(wave, bucket)
  if (reachable + regressed > 0) {
    const message = `wave "${wave.name}" passed its deadline with ${reachable} reachable and ${regressed} no longer healthy hosts left`
    return { kind: 'pause', cause: { kind: 'Deadline', message } }
  }
  if (bucket.succeeded + bucket.failed === 0) {
    const message = `no host of wave "${wave.name}" could be reached before its deadline`
    return { kind: 'pause', cause: { kind: 'Unreachable', message } }
  }
  if (open * 100 > wave.maxSkippedPercent * bucket.members) {
    const message = `${open} of ${bucket.members} hosts of wave "${wave.name}" could not be reached before its deadline, more than ${wave.maxSkippedPercent}%`
    return { kind: 'pause', cause: { kind: 'Unreachable', message } }
  }
  return endHosts(hosts, open)
}

/** Failures within the limit are tolerated, but a wave in which none succeeded has proven nothing. */
function endHosts({ analysis, bucket, wave }: Hosts, leftBehind: number): Step {
  const failed = Math.max(0, bucket.failed - wave.forgivenFailures)
  if (bucket.succeeded === 0) {
    if (failed > 0) return { kind: 'failed', cause: null }
    return stepEmpty(wave, `none of ${bucket.members} hosts was updated`)
  }
  const attempted = bucket.succeeded + failed
  if (bucket.succeeded * 100 < wave.successThresholdPercent * attempted) {
    const cause = `${bucket.succeeded} of ${attempted} attempted hosts of wave "${wave.name}" succeeded, fewer than ${wave.successThresholdPercent}%`
    return { kind: 'failed', cause }
  }
  const ended = { ...wave, note: leftBehind === 0 ? '' : `left ${leftBehind} behind` }
  if (wave.soakedMs >= wave.soakMs) return afterSoak(ended, analysis)
  return { kind: 'move', wave: { ...ended, state: 'Soaking', measured: forSoak(wave, analysis) } }
}

function afterSoak(wave: WaveRecord, analysis: readonly Analysis[]): Step {
  if (analysis.length === 0) return afterAnalysis(wave)
  return { kind: 'move', wave: { ...wave, state: 'Analysing', measured: forGate(wave, analysis) } }
}

function stepAnalysing(wave: WaveRecord, analysis: readonly Analysis[]): Step | null {
  return hasPassed(wave, analysis) ? afterAnalysis(wave) : null
}

export function afterAnalysis(wave: WaveRecord): { readonly kind: 'move'; readonly wave: WaveRecord } {
  const state = wave.approval === null ? 'Succeeded' : 'AwaitingApproval'
  return { kind: 'move', wave: { ...wave, state, awaitedMs: 0 } }
}

function stepApproval(wave: WaveRecord): Step | null {
  if (wave.approval === null || wave.approved !== null) {
    return { kind: 'move', wave: { ...wave, state: 'Succeeded' } }
  }
  const { approvers, expiresAfterMs } = wave.approval
  if (wave.awaitedMs < expiresAfterMs) return null
  const names = wave.approvals.map(({ actor }) => actor)
  const who = names.length === 0 ? 'nobody' : `of ${approvers} people that must, only ${names.join(' and ')}`
  const message = `${who} approved wave "${wave.name}" within ${duration(expiresAfterMs)}`
  return { kind: 'pause', cause: { kind: 'Approval', message } }
}
