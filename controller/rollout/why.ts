import { explain } from './explain.ts'
import type { Explanation } from './explain.ts'
import { evidenceOf, standingOf } from './host-views.ts'
import type { Standing } from './host-views.ts'
import { untakenArguments } from './kernel-arguments.ts'
import { targetOf } from './needs.ts'
import { renderNext } from './next-sentences.ts'
import { renderReason } from './sentences.ts'
import { currentRollout } from './state-entries.ts'
import { isReportOnly, nameOf, ownerOf } from './host-names.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { Now } from './now.ts'
import { describeWaves } from './wave-views.ts'

export type WhyView = {
  readonly hostId: string
  readonly hostName: string
  /** Empty when no fleet alone selects it. */
  readonly fleet: string
  readonly reason: Explanation['kind']
  readonly phase: Standing
  readonly message: string
  /** 0: nobody wrote it down. */
  readonly sinceMs: number
  readonly next: string
  /** What it did not come up with, or failed its checks with; empty where it saw nothing of the kind. */
  readonly failedDigest: string
  readonly evidence: readonly string[]
}

/** The one thing that keeps a host from its next step, since when, and what comes next. */
export function whyHost(state: RolloutEngineState, host: Host, now: Now): WhyView {
  const explanation = explain(state, host.id, now)
  const fleet = state.fleets.get(ownerOf(host) ?? '')
  const rollout = fleet && !isReportOnly(host) ? currentRollout(state, fleet) : null
  return {
    hostId: host.id,
    hostName: nameOf(host),
    fleet: fleet?.record.fleet ?? '',
    reason: explanation.kind,
    phase: standingOf(rollout, host),
    message: `${sentenceOf(explanation)}${gateOf(state, { explanation, rollout }, now)}${untakenArguments(state, host)}`,
    sinceMs: isReportOnly(host) ? 0 : sinceOf(state, { explanation, fleet, host }),
    next: renderNext(explanation),
    ...failureOf(rollout, host),
  }
}

function failureOf(rollout: Rollout | null, host: Host): Pick<WhyView, 'failedDigest' | 'evidence'> {
  const grant = rollout && host.grants.get(rollout.record.id)
  const evidence = rollout ? evidenceOf(rollout, host) : []
  if (!grant || evidence.length === 0) return { failedDigest: '', evidence: [] }
  return { failedDigest: targetOf(rollout.record, grant).digest, evidence }
}

function sentenceOf(explanation: Explanation): string {
  return explanation.kind === 'Progressing' ? explanation.message : renderReason(explanation)
}

/** Of a wave that others wait for, what it waits for itself. */
function gateOf(
  state: RolloutEngineState,
  { explanation, rollout }: { readonly explanation: Explanation; readonly rollout: Rollout | null },
  now: Now,
): string {
  if ((explanation.kind !== 'WaitsForWave' && explanation.kind !== 'Prefetched') || !rollout) return ''
  return describeWaves(state, rollout, now)
    .filter(({ name }) => name === explanation.wave)
    .map((wave) => `: ${wave.message}`)
    .join('')
}

type Place = {
  readonly explanation: Explanation
  readonly fleet: Fleet | undefined
  readonly host: Host
}

function toldSince(explanation: Explanation, fleet: Fleet | undefined): number | undefined {
  if (explanation.kind === 'RolloutPaused') return explanation.cause.atMs
  if (explanation.kind === 'Drifted(local)') return explanation.atMs
  if (explanation.kind !== 'Denied') return undefined
  return fleet?.record.denied.find(({ digest }) => digest === explanation.digest)?.atMs
}

/** From the records, which outlive the controller; of what only git or the connection tells there is no time. */
function sinceOf(state: RolloutEngineState, { explanation, fleet, host }: Place): number {
  const told = toldSince(explanation, fleet)
  if (told !== undefined) return told
  const current = fleet?.record.rolloutId ?? ''
  const rolloutId = explanation.kind === 'OldRolloutInFlight' ? explanation.rolloutId : current
  const grant = host.grants.get(rolloutId)
  const rollout = state.rollouts.get(rolloutId)
  return grant?.endedAtMs ?? grant?.grantedAtMs ?? rollout?.record.startedAtMs ?? 0
}
