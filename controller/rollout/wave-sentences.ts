import { duration } from './sentences.ts'
import type { AnalysisView, GateView } from './gate-views.ts'
import type { VerbRecord, WaveRecord } from './records.ts'

export type WaveFacts = {
  readonly wave: WaveRecord
  readonly gate: GateView
  readonly counts: {
    readonly members: number
    readonly succeeded: number
    readonly failed: number
    readonly regressed: number
  }
  /** The wave that the rollout is at. */
  readonly active: string
}

/** One sentence about where a wave is and what its gate waits for. */
export function waveSentence({ wave, gate, counts, active }: WaveFacts): string {
  switch (wave.state) {
    case 'Pending':
      return pending(wave.name, active)
    case 'Running':
    case 'WaitingWindow':
      return [done(counts, wave), ...(gate.window === null ? [] : [gate.window.message])].join('; ')
    case 'Soaking':
      return `soaking, ${duration(wave.soakMs - wave.soakedMs)} left${troubles(gate.analyses)}`
    case 'Analysing':
      return `soaked ${duration(wave.soakedMs)}; ${analysing(gate.analyses)}`
    case 'AwaitingApproval':
      return awaiting(wave)
    case 'Succeeded':
      return [wave.soakMs > 0 ? `soaked ${duration(wave.soakedMs)}` : 'done', ...ordered(gate)].join(', ')
    case 'Skipped':
      return `skipped: ${wave.note}`
    case 'Failed':
      return wave.note
    case 'Cancelled':
      return 'cancelled'
  }
}

function pending(name: string, active: string): string {
  return active === name ? 'has no hosts and must not be empty' : `waits for wave "${active}"`
}

function done({ failed, members, regressed, succeeded }: WaveFacts['counts'], wave: WaveRecord): string {
  const unwell = Math.max(0, regressed - wave.forgivenRegressions)
  const troubled = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(unwell > 0 ? [`waits for ${unwell} no longer healthy on the image`] : []),
  ]
  return [`${succeeded}/${members} done`, ...troubled].join(', ')
}

/** What did not pass; during the soak that stops nothing yet. */
function troubles(analyses: readonly AnalysisView[]): string {
  return analyses
    .filter(({ failed, outcome }) => failed > 0 || outcome === 'Inconclusive')
    .map((analysis) => `; ${measured(analysis)}`)
    .join('')
}

function analysing(analyses: readonly AnalysisView[]): string {
  const passed = analyses.filter(({ passedAfterSoak }) => passedAfterSoak)
  const open = analyses.filter(({ passedAfterSoak }) => !passedAfterSoak)
  const count = `${passed.length} of ${analyses.length} analyses passed since`
  return [count, ...open.map(measured)].join('; ')
}

function measured({ name, outcome, detail, failed, failureLimit }: AnalysisView): string {
  if (outcome === '') return `${name} is not measured yet`
  const failures = failed === 0 ? '' : `, failed ${failed} of at most ${failureLimit} times`
  return `${name} ${outcome} (${detail})${failures}`
}

function awaiting({ approval, approvals, awaitedMs }: WaveRecord): string {
  const { approvers, expiresAfterMs } = approval as NonNullable<typeof approval>
  const since = awaitedMs === 0 ? '' : `since ${duration(awaitedMs)}`
  const names = approvals.map(({ actor }) => actor).join(' and ')
  const count =
    approvers === 1 ? '' : `: ${approvals.length} of ${approvers}${names === '' ? '' : `, by ${names}`}`
  const asked = [`waits for approval${count}`, since].filter((part) => part !== '')
  const left = duration(Math.max(0, expiresAfterMs - awaitedMs))
  return `${asked.join(count === '' ? ' ' : '; ')}, expires in ${left}; approve it with "bootfleet approve"`
}

function ordered({ approval, promoted }: GateView): readonly string[] {
  const approved = approval === null || approval.approved === null ? [] : approval.approvals
  const last = approval?.approved ?? null
  // Waves of controllers that kept only the last one.
  const all = approved.length === 0 && last !== null ? [last] : approved
  return [...all, ...(promoted === null ? [] : [promoted])].map(by)
}

function by({ verb, actor, reason }: VerbRecord): string {
  return `${verb === 'approve' ? 'approved' : 'promoted'} by ${actor}${reason === '' ? '' : `: "${reason}"`}`
}
