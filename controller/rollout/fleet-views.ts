import { runsImage } from './evidence.ts'
import { deniedSentence, describeRollout, rolloutSentence } from './rollout-views.ts'
import type { RolloutView } from './rollout-views.ts'
import { shortImage } from './sentences.ts'
import { currentRollout } from './state.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { RolloutState } from './states.ts'
import type { Now } from './types.ts'

export type FleetView = {
  readonly name: string
  readonly state:
    'Synced' | 'Progressing' | 'Paused' | 'RolledBack' | 'Failed' | 'Suspended' | 'Held' | 'Pending'
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
  }[]
  readonly suspended: boolean
  readonly hostsTotal: number
  readonly hostsUpdated: number
  /** Of all connected hosts, on whatever they run. */
  readonly hostsHealthy: number
  readonly message: string
  readonly rollout: RolloutView | null
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
  const wanted = state.wanted?.get(name)
  const aim = wanted ?? rollout?.record ?? nothing
  const hosts = [...fleet.members].map((id) => state.hosts.get(id) as Host)
  const updated = hosts.filter((host) => host.record !== null && runsImage(host.record.report, aim.image))
  // A host that nobody hears has no health, whatever it said last.
  const healthy = hosts.filter((host) => host.connected && host.record?.report.health.verdict === 'Passed')
  return {
    name,
    ...verdictOf(state, fleet),
    revision: aim.revision,
    // Back on stable after a revert, the fleet is where the newest commit wants it, not where its rollout went.
    commit: rollout?.record.revision === aim.revision ? rollout.record.commit : state.commit,
    repository: aim.image.repository,
    digest: aim.image.digest,
    version: aim.image.version,
    stableDigest: stable?.image.digest ?? '',
    stableVersion: stable?.image.version ?? '',
    denied: denied.map(({ atMs, digest, reason }) => ({ digest, reason, deniedAtMs: atMs })),
    suspended: wanted?.suspend ?? false,
    hostsTotal: fleet.members.size,
    hostsUpdated: updated.length,
    hostsHealthy: healthy.length,
    rollout: rollout && describeRollout(state, rollout, now),
    acceptedCommit: state.commit,
  }
}

const nothing = { revision: '', image: { repository: '', digest: '', version: '', manifests: {} } }

type Verdict = Pick<FleetView, 'state' | 'message'>

function verdictOf(state: RolloutEngineState, fleet: Fleet): Verdict {
  const wanted = state.wanted?.get(fleet.record.fleet)
  if (state.wanted === null) return { state: 'Pending', message: 'the source has not been read yet' }
  if (wanted === undefined) return { state: 'Held', message: 'not in git now; hosts keep what they run' }
  if (wanted.suspend) return { state: 'Suspended', message: 'suspended in git; set suspend: false to go on' }
  const rollout = currentRollout(state, fleet)
  if (rollout !== null && rollout.record.revision === wanted.revision) return ofRollout(state, fleet, rollout)
  const denied = fleet.record.denied.find(({ digest }) => digest === wanted.image.digest)
  if (denied !== undefined) return { state: 'Held', message: deniedSentence(denied.reason, wanted) }
  if (rollout === null || wanted.revision !== fleet.record.stable?.revision) {
    return { state: 'Pending', message: 'no host matches its selector' }
  }
  return rollout.record.state.kind === 'RollingBack'
    ? { state: 'Progressing', message: rolloutSentence(state, rollout) }
    : { state: 'Synced', message: `back on ${shortImage(wanted.image)}` }
}

const stateOf: Readonly<Record<RolloutState['kind'], FleetView['state']>> = {
  Progressing: 'Progressing',
  Paused: 'Paused',
  Succeeded: 'Synced',
  RollingBack: 'Progressing',
  RolledBack: 'RolledBack',
  RollbackFailed: 'Failed',
  Superseded: 'Pending',
}

function ofRollout(state: RolloutEngineState, fleet: Fleet, rollout: Rollout): Verdict {
  const { kind } = rollout.record.state
  if (kind === 'Progressing' && fleet.members.size === 0) {
    return { state: 'Pending', message: 'no host matches its selector' }
  }
  return { state: stateOf[kind], message: rolloutSentence(state, rollout) }
}
