import { runsImage } from './evidence.ts'
import { haltOf } from './fleet-record.ts'
import { isHeld, isReportOnly, nameOf, ownerOf } from './host-names.ts'
import { blockOfLearning } from './learning.ts'
import { describeLimits } from './limit-views.ts'
import type { LimitsView } from './limit-views.ts'
import { deniedSentence, describeRollout, rolloutSentence } from './rollout-views.ts'
import type { RolloutView } from './rollout-views.ts'
import { renderReason, shortImage } from './sentences.ts'
import { currentRollout } from './state-entries.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { BlockingReason, RolloutState } from './states.ts'
import type { DenialOrigin, StableImage, VerbRecord, WaveRecord } from './records.ts'
import type { Now } from './now.ts'
import type { ResolvedImage, WantedFleet } from './wanted.ts'
import { blockOfWanted } from './wanted-blocks.ts'
import { activeWaveIndex } from './waves.ts'

export type FleetView = {
  readonly name: string
  readonly state:
    | 'Synced'
    | 'Progressing'
    | 'AwaitingApproval'
    | 'Paused'
    | 'Halted'
    | 'Aborted'
    | 'RolledBack'
    | 'Failed'
    | 'Suspended'
    | 'Held'
    | 'Pending'
  readonly revision: string
  readonly commit: string
  readonly repository: string
  readonly digest: string
  readonly version: string
  readonly stableDigest: string
  readonly stableVersion: string
  readonly denied: readonly {
    readonly digest: string
    readonly reason: string
    readonly deniedAtMs: number
    readonly origin: DenialOrigin
    readonly actor: string
  }[]
  /** Of the fleet itself, else of every fleet. */
  readonly halted: VerbRecord | null
  /** What people ordered of the fleet, oldest first. */
  readonly log: readonly VerbRecord[]
  readonly suspended: boolean
  readonly hostsTotal: number
  readonly hostsUpdated: number
  /** Of all connected hosts, on whatever they run. */
  readonly hostsHealthy: number
  readonly message: string
  readonly rollout: RolloutView | null
  /** Null before the first rollout, and where git does not want the fleet. */
  readonly limits: LimitsView | null
  readonly acceptedCommit: string
}

/** Sorted by name; before the source was read, what the records tell. */
export function describeFleets(state: RolloutEngineState, now: Now): readonly FleetView[] {
  return [...state.fleets.values()]
    .map((fleet) => describeFleet(state, fleet, now))
    .toSorted((a, b) => Number(a.name > b.name) - Number(a.name < b.name))
}

function describeFleet(state: RolloutEngineState, fleet: Fleet, now: Now): FleetView {
  const { denied, fleet: name, stable } = fleet.record
  const rollout = currentRollout(state, fleet)
  const halted = fleet.record.halted ?? state.everyFleet.halted
  const wanted = state.wanted?.get(name)
  const commit = wanted?.commit ?? state.commit
  const aim = aimOf(wanted, rollout)
  const hosts = [...fleet.members].map((id) => state.hosts.get(id) as Host)
  const updated = hosts.filter((host) => host.record !== null && runsImage(host.record.report, aim.image))
  // A host that nobody hears has no health, whatever it said last.
  const healthy = hosts.filter((host) => host.connected && host.record?.report.health.verdict === 'Passed')
  return {
    name,
    ...verdictOf(state, fleet, now),
    revision: aim.revision,
    // Back on stable after a revert, the fleet is where the newest commit wants it, not where its rollout went.
    commit: rollout?.record.revision === aim.revision ? rollout.record.commit : commit,
    repository: aim.image.repository,
    digest: aim.image.digest,
    version: aim.image.version,
    ...stableOf(stable),
    denied: denied.map(({ atMs, ...denial }) => ({ ...denial, deniedAtMs: atMs })),
    halted: halted && { ...halted, verb: 'halt' },
    log: fleet.record.log,
    suspended: wanted?.suspend ?? false,
    hostsTotal: fleet.members.size,
    hostsUpdated: updated.length,
    hostsHealthy: healthy.length,
    rollout: rollout && describeRollout(state, rollout, now),
    limits: rollout && describeLimits(state, { fleet, rollout }, now),
    acceptedCommit: commit,
  }
}

const unknownImage = { repository: '', digest: '', version: '', manifests: {} }

function aimOf(wanted: WantedFleet | undefined, rollout: Rollout | null): Aim {
  const record = rollout?.record
  return {
    revision: wanted?.revision ?? record?.revision ?? '',
    image: wanted?.image ?? record?.image ?? unknownImage,
  }
}

type Aim = { readonly revision: string; readonly image: ResolvedImage }

function stableOf(stable: StableImage | null): Pick<FleetView, 'stableDigest' | 'stableVersion'> {
  const { digest, version } = stable?.image ?? unknownImage
  return { stableDigest: digest, stableVersion: version }
}

type Verdict = Pick<FleetView, 'state' | 'message'>

function verdictOf(state: RolloutEngineState, fleet: Fleet, now: Now): Verdict {
  const wanted = state.wanted?.get(fleet.record.fleet)
  if (state.wanted === null) return { state: 'Pending', message: 'the source has not been read yet' }
  if (wanted === undefined) return { state: 'Held', message: 'not in git now; hosts keep what they run' }
  const halt = haltOf(state, fleet)
  if (halt !== null) return { state: 'Halted', message: renderReason(halt) }
  if (wanted.suspend) return { state: 'Suspended', message: 'suspended in git; set suspend: false to go on' }
  const learning = blockOfLearning(state, fleet)
  if (learning !== null) return { state: 'Pending', message: renderReason(learning) }
  const rollout = currentRollout(state, fleet)
  if (rollout !== null && rollout.record.revision === wanted.revision) {
    return butUnverified(wanted, ofRollout(state, { fleet, rollout }, now))
  }
  return withoutRollout(state, { fleet, wanted, rollout }, now)
}

/** No rollout brings what git wants: something keeps it from beginning, or the fleet has been there before. */
function withoutRollout(
  state: RolloutEngineState,
  of: { readonly fleet: Fleet; readonly wanted: WantedFleet; readonly rollout: Rollout | null },
  now: Now,
): Verdict {
  const { fleet, rollout, wanted } = of
  const { stable } = fleet.record
  const block = blockOfWanted(fleet, wanted)
  // Both end by themselves; Held is for a person to end.
  if (block?.kind === 'Unverified' || block?.kind === 'NothingToFollow') {
    return { state: 'Pending', message: renderReason(block) }
  }
  if (block !== null) return { state: 'Held', message: heldSentence(block, wanted) }
  if (rollout === null || stable === null || wanted.revision !== stable.revision) {
    return { state: 'Pending', message: nobodySentence(state, fleet) }
  }
  return rollout.record.state.kind === 'RollingBack'
    ? { state: 'Progressing', message: rolloutSentence(state, rollout, now) }
    : butUnverified(wanted, { state: 'Synced', message: `back on ${shortImage(stable.image)}` })
}

/** It is where it was; what git names now may not be granted yet. */
function butUnverified({ unverified }: WantedFleet, verdict: Verdict): Verdict {
  if (unverified === undefined) return verdict
  const message = `${renderReason({ kind: 'Unverified', message: unverified })} (${verdict.message})`
  return { state: verdict.state === 'Synced' ? 'Pending' : verdict.state, message }
}

function nobodySentence(state: RolloutEngineState, { members, record }: Fleet): string {
  if (members.size === 0) return emptySentence(state, record.fleet)
  const kept = [...members].map((id) => state.hosts.get(id) as Host).filter(isHeld)
  return kept.length === 0 ? unheardSentence(members.size) : keptSentence(kept, members.size)
}

function unheardSentence(members: number): string {
  return members === 1
    ? 'its only host has never reported; is it on, and does it reach the controller?'
    : `none of its ${members} hosts has ever reported; are they on, and do they reach the controller?`
}

/** By git, by a person on it, or because nothing would lead it back. */
function keptSentence(kept: readonly Host[], members: number): string {
  const why = `"bootfleet why host/${kept.map(nameOf).toSorted()[0]}" says by what`
  if (kept.length < members) {
    return `${kept.length} of its ${members} hosts are kept back (${why}), and the others have never reported`
  }
  return members === 1
    ? `its only host is kept back: ${why}`
    : `all its ${members} hosts are kept back: ${why} that one is`
}

function emptySentence(state: RolloutEngineState, name: string): string {
  for (const host of state.hosts.values()) {
    if (isReportOnly(host) && ownerOf(host) === name) {
      return 'every host that matches its selector only reports'
    }
  }
  return 'no host matches its selector'
}

function heldSentence(block: BlockingReason, { image }: WantedFleet): string {
  if (block.kind === 'Denied' && image !== null) return deniedSentence(block.reason, { image })
  return renderReason(block)
}

const stateOf: Readonly<Record<RolloutState['kind'], FleetView['state']>> = {
  Progressing: 'Progressing',
  Paused: 'Paused',
  Succeeded: 'Synced',
  RollingBack: 'Progressing',
  Aborted: 'Aborted',
  RolledBack: 'RolledBack',
  RollbackFailed: 'Failed',
  Superseded: 'Pending',
}

function ofRollout(
  state: RolloutEngineState,
  { fleet, rollout }: { readonly fleet: Fleet; readonly rollout: Rollout },
  now: Now,
): Verdict {
  const { kind } = rollout.record.state
  if (kind === 'Progressing' && fleet.members.size === 0) {
    return { state: 'Pending', message: emptySentence(state, fleet.record.fleet) }
  }
  const message = rolloutSentence(state, rollout, now)
  const waits = kind === 'Progressing' && activeWave(rollout)?.state === 'AwaitingApproval'
  return { state: waits ? 'AwaitingApproval' : stateOf[kind], message }
}

function activeWave({ record }: Rollout): WaveRecord | undefined {
  return record.waves[activeWaveIndex(record.waves)]
}
