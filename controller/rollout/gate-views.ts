import { duration } from './sentences.ts'
import { fleetOf } from './state-entries.ts'
import type { Bucket, Rollout, RolloutEngineState } from './state.ts'
import type { WindowReason } from './states.ts'
import type { Now } from './now.ts'
import type { VerbRecord, WaveRecord } from './records.ts'
import { waitForWindow } from './waits.ts'

export type ApprovalView = {
  /** 0 while the wave does not ask; the time that it was asked for, had the controller never been down. */
  readonly askedAtMs: number
  readonly expiresAtMs: number
  readonly approvers: number
  readonly approvals: readonly VerbRecord[]
  readonly approved: VerbRecord | null
}

export type AnalysisView = {
  readonly name: string
  /** Empty before the first measurement. */
  readonly outcome: string
  readonly detail: string
  readonly passed: number
  readonly failed: number
  readonly inconclusive: number
  readonly failureLimit: number
  readonly passedAfterSoak: boolean
}

export type WindowView = { readonly opensAtMs: number; readonly message: string }

/** What a wave must still show before the next may begin. */
export type GateView = {
  readonly soakMs: number
  readonly soakedMs: number
  readonly approval: ApprovalView | null
  readonly analyses: readonly AnalysisView[]
  /** Null while it waits for no window; `opensAtMs` 0: none is long enough. */
  readonly window: WindowView | null
  readonly skippedMaxPercent: number
  readonly promoted: VerbRecord | null
}

export function describeGate(
  state: RolloutEngineState,
  at: { readonly rollout: Rollout; readonly index: number },
  now: Now,
): GateView {
  const { record } = at.rollout
  const wave = record.waves[at.index] as WaveRecord
  const { soakMs, soakedMs, maxSkippedPercent, promoted } = wave
  return {
    soakMs,
    soakedMs,
    approval: approvalOf(wave, now),
    analyses: record.strategy.analysis.map(({ name, failureLimit }) => ({
      name,
      failureLimit,
      ...measuredOf(wave, name),
    })),
    window: wave.state === 'WaitingWindow' ? windowOf(state, at, now) : null,
    skippedMaxPercent: maxSkippedPercent,
    promoted: promoted && orderOf('promote', promoted),
  }
}

function measuredOf({ measured }: WaveRecord, name: string): Omit<AnalysisView, 'name' | 'failureLimit'> {
  const found = measured.find(({ analysis }) => analysis === name)
  if (found === undefined) {
    return { outcome: '', detail: '', passed: 0, failed: 0, inconclusive: 0, passedAfterSoak: false }
  }
  const { last, detail, passed, failed, inconclusive, passedAfterSoak } = found
  return { outcome: last ?? '', detail, passed, failed, inconclusive, passedAfterSoak }
}

/** How long a wave has asked, and how long it still does. */
function approvalOf(
  { approval, approvals, approved, awaitedMs, state }: WaveRecord,
  { wallMs }: Now,
): ApprovalView | null {
  if (approval === null) return null
  const asks = state === 'AwaitingApproval'
  return {
    askedAtMs: asks ? wallMs - awaitedMs : 0,
    expiresAtMs: asks ? wallMs - awaitedMs + approval.expiresAfterMs : 0,
    approvers: approval.approvers,
    approvals: approvals.map((each) => orderOf('approve', each)),
    approved: approved && orderOf('approve', approved),
  }
}

/** Where no window is in the way, it is a freeze. */
function windowOf(
  state: RolloutEngineState,
  { rollout, index }: { readonly rollout: Rollout; readonly index: number },
  now: Now,
): WindowView {
  const fleet = fleetOf(state, rollout.record.fleet)
  const action = (rollout.buckets[index] as Bucket).toStage.size > 0 ? 'Download' : 'Activate'
  const window = waitForWindow(state, { fleet, rollout, action }, now)
  if (window !== null) {
    return { opensAtMs: window.inMs === null ? 0 : now.wallMs + window.inMs, message: waitSentence(window) }
  }
  const frozen = state.freezes.filter(({ name }) => state.frozen.has(name))
  const opensAtMs = Math.max(0, ...frozen.map(({ toMs }) => toMs))
  const names = frozen.map(({ name }) => `"${name}"`).join(' and ')
  return { opensAtMs, message: `waits for the end of freeze ${names}` }
}

function waitSentence({ inMs, opens }: WindowReason): string {
  if (inMs === null) return 'waits for a window, and none is long enough'
  return `waits for a window, which opens ${opens}, in ${duration(inMs)}`
}

function orderOf(verb: string, { atMs, actor, reason }: Omit<VerbRecord, 'verb'>): VerbRecord {
  return { atMs, actor, verb, reason }
}
