import { forgiven } from './analysis.ts'
import type { Bucket } from './state.ts'
import type { Gate, PauseCause, RolloutState } from './states.ts'
import type { VerbRecord, WaveRecord } from './records.ts'
import { afterAnalysis } from './wave-steps.ts'

/** What a promotion overrides: the gate that the wave is at, or `Pause` when only a person holds it; null: nothing. */
export function gateToPromote(state: RolloutState, wave: WaveRecord, bucket: Bucket): Gate | 'Pause' | null {
  if (state.kind === 'Progressing') return ownGate(wave, bucket)
  return state.kind === 'Paused' ? gateOfPause(state.cause, wave, bucket) : null
}

function gateOfPause(cause: PauseCause, wave: WaveRecord, bucket: Bucket): Gate | 'Pause' | null {
  switch (cause.kind) {
    case 'User': {
      const gate = ownGate(wave, bucket)
      if (needsSeveral(wave)) return null
      return gate === null || gate === 'Hosts' ? 'Pause' : gate
    }
    case 'Failure':
      return 'Failures'
    case 'Approval':
      return approvalToPromote(wave)
    case 'Inconclusive':
      return wave.state === 'Analysing' ? 'Analysis' : 'Empty'
    case 'Unreachable':
    case 'Deadline':
      return 'Hosts'
  }
}

/** A closed window is a limit and no gate: nobody promotes past it. */
function ownGate(wave: WaveRecord, bucket: Bucket): Gate | null {
  switch (wave.state) {
    case 'Running':
      return bucket.members === 0 ? 'Empty' : 'Hosts'
    case 'Soaking':
      return 'Soak'
    case 'Analysing':
      return 'Analysis'
    case 'AwaitingApproval':
      return approvalToPromote(wave)
    // Of a wave that has not begun nobody knows yet whether it is empty: its hosts may still be counted.
    case 'Pending':
    case 'WaitingWindow':
    case 'Succeeded':
    case 'Skipped':
    case 'Failed':
    case 'Cancelled':
      return null
  }
}

/** Whether the wave waits for more than one person: what two must agree to, none of them promotes past. */
export function needsSeveral({ approval, state }: WaveRecord): boolean {
  return state === 'AwaitingApproval' && approval !== null && approval.approvers > 1
}

function approvalToPromote(wave: WaveRecord): 'Approval' | null {
  return needsSeveral(wave) ? null : 'Approval'
}

/** The wave beyond that one gate; all others are still judged. */
export function promoted(
  wave: WaveRecord,
  by: { readonly gate: Gate | 'Pause'; readonly bucket: Bucket; readonly said: VerbRecord },
): WaveRecord {
  const { bucket, gate } = by
  if (gate === 'Pause') return wave
  const { actor, atMs, reason } = by.said
  const kept: WaveRecord = { ...wave, promoted: { gate, actor, reason, atMs } }
  switch (gate) {
    case 'Hosts':
      return {
        ...kept,
        leavesBehind: true,
        forgiven: bucket.inconclusive,
        forgivenRegressions: bucket.regressed,
      }
    case 'Failures':
      return { ...kept, forgivenFailures: bucket.failed, measured: forgiven(wave) }
    case 'Empty':
      return { ...kept, state: 'Skipped', note: 'no hosts' }
    case 'Soak':
      return { ...kept, soakedMs: wave.soakMs }
    case 'Analysis':
      return afterAnalysis(kept).wave
    case 'Approval':
      return { ...kept, state: 'Succeeded' }
  }
}
