import { etaOf } from './eta.ts'
import type { EtaView } from './eta.ts'
import { attentionOf } from './host-views.ts'
import type { HostInRolloutView } from './host-views.ts'
import { denialOf } from './fleet-record.ts'
import { renderAbort, renderPause, shortImage } from './sentences.ts'
import { fleetOf } from './state-entries.ts'
import type { Rollout, RolloutEngineState } from './state.ts'
import type { Now } from './now.ts'
import type { RolloutRecord, VerbRecord } from './records.ts'
import { activeWaveSentence, describeWaves } from './wave-views.ts'
import type { WaveView } from './wave-views.ts'

export type RolloutView = EtaView & {
  readonly id: string
  readonly fleet: string
  readonly revision: string
  readonly commit: string
  readonly generation: number
  readonly state: string
  readonly pausedFor: string
  readonly message: string
  readonly repository: string
  readonly digest: string
  readonly version: string
  readonly fromDigest: string
  readonly fromVersion: string
  readonly waves: readonly WaveView[]
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly attention: readonly HostInRolloutView[]
  /** What people ordered, oldest first. */
  readonly log: readonly VerbRecord[]
}

/** Finished rollouts shown per fleet, the current one included. */
const historyMax = 20

export function describeRollouts(
  state: RolloutEngineState,
  fleet: string | null,
  now: Now,
): readonly RolloutView[] {
  const seen = new Map<string, number>()
  return [...state.rollouts.values()]
    .filter(({ record }) => fleet === null || record.fleet === fleet)
    .toSorted(
      (a, b) => b.record.startedAtMs - a.record.startedAtMs || b.record.generation - a.record.generation,
    )
    .filter(({ record }) => {
      const count = (seen.get(record.fleet) ?? 0) + 1
      seen.set(record.fleet, count)
      return count <= historyMax
    })
    .map((rollout) => describeRollout(state, rollout, now))
}

export function describeRollout(state: RolloutEngineState, rollout: Rollout, now: Now): RolloutView {
  const { record } = rollout
  const waves = describeWaves(state, rollout, now)
  return {
    id: record.id,
    fleet: record.fleet,
    revision: record.revision,
    commit: record.commit,
    generation: record.generation,
    state: record.state.kind,
    pausedFor: record.state.kind === 'Paused' ? record.state.cause.kind : '',
    message: rolloutSentence(state, rollout, now),
    repository: record.image.repository,
    digest: record.image.digest,
    version: record.image.version,
    fromDigest: record.from?.image.digest ?? '',
    fromVersion: record.from?.image.version ?? '',
    waves,
    ...etaOf(state, { rollout, waves }, now),
    startedAtMs: record.startedAtMs,
    endedAtMs: 'atMs' in record.state ? record.state.atMs : 0,
    attention: attentionOf(state, rollout, now),
    log: record.log,
  }
}

/** Where the rollout is and why; after a failure also what was denied and what to do. */
export function rolloutSentence(state: RolloutEngineState, rollout: Rollout, now: Now): string {
  const { record } = rollout
  switch (record.state.kind) {
    case 'Progressing':
      return activeWaveSentence(state, rollout, now)
    case 'Paused':
      return isDenied(state, record) && record.state.cause.kind === 'Failure'
        ? deniedSentence(record.state.cause.message, record)
        : renderPause(record.state.cause)
    case 'Succeeded':
      return `runs ${shortImage(record.image)}${behind(rollout)}`
    case 'RollingBack':
      return `going back to ${backTo(record)}: ${deniedSentence(record.state.cause, record)}`
    case 'RolledBack':
      return `back on ${backTo(record)}: ${deniedSentence(record.state.cause, record)}`
    case 'RollbackFailed':
      return `some hosts could not go back to ${backTo(record)}: ${deniedSentence(record.state.cause, record)}`
    case 'Aborted':
      return renderAbort(record.state)
    case 'Superseded':
      return `replaced by rollout ${record.state.by}`
  }
}

export function deniedSentence(reason: string, of: Pick<RolloutRecord, 'image'>): string {
  return `${reason}; ${shortImage(of.image)} is denied; git must name another digest`
}

function isDenied(state: RolloutEngineState, { fleet, image }: RolloutRecord): boolean {
  return denialOf(fleetOf(state, fleet), image.digest) !== null
}

function backTo(record: RolloutRecord): string {
  return shortImage((record.from as NonNullable<RolloutRecord['from']>).image)
}

/** Hosts that the keeper still serves or that failed. */
function behind({ buckets }: Rollout): string {
  let left = 0
  for (const bucket of buckets) left += bucket.members - bucket.succeeded
  return left === 0 ? '' : `; ${left} ${left === 1 ? 'host is' : 'hosts are'} behind`
}
