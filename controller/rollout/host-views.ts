import { bucketIndexOf } from './contribution.ts'
import { runsImage } from './evidence.ts'
import { explain } from './explain.ts'
import { isEnded, isFailure } from './phases.ts'
import { renderReason } from './sentences.ts'
import { currentRollout, nameOf, ownerOf } from './state.ts'
import type { Host, Rollout, RolloutEngineState } from './state.ts'
import type { HostPhase } from './states.ts'
import type { GrantRecord, Now } from './types.ts'

export type HostInRolloutView = {
  readonly hostId: string
  readonly hostName: string
  readonly phase: HostPhase
  readonly wave: string
  readonly message: string
}

export type HostView = {
  readonly hostId: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly fleet: string
  readonly phase: HostPhase
  readonly bootedDigest: string
  readonly bootedVersion: string
  readonly bootId: string
  readonly health: string
  readonly message: string
  readonly architecture: string
  readonly deniedDigests: readonly string[]
  readonly conditions: readonly string[]
}

const attentionMax = 20

/** Sorted by name. `fleet` null: every host, also one without a fleet. */
export function describeHosts(
  state: RolloutEngineState,
  fleet: string | null,
  now: Now,
): readonly HostView[] {
  return [...state.hosts.values()]
    .filter((host) => host.enrolment !== null && (fleet === null || ownerOf(host) === fleet))
    .map((host) => describeHost(state, host, now))
    .toSorted((a, b) => compare(a.name, b.name))
}

function describeHost(state: RolloutEngineState, host: Host, now: Now): HostView {
  const fleet = state.fleets.get(ownerOf(host) ?? '')
  const rollout = fleet && currentRollout(state, fleet)
  return {
    hostId: host.id,
    name: nameOf(host),
    labels: (host.enrolment as NonNullable<Host['enrolment']>).labels,
    fleet: fleet?.record.fleet ?? '',
    phase: rollout ? phaseOf(rollout, host) : 'Pending',
    bootedVersion: versionOf(state, host),
    message: sentenceOf(state, host, now),
    conditions: conditionsOf(host),
    ...reported(host),
  }
}

function reported(
  host: Host,
): Pick<HostView, 'bootedDigest' | 'bootId' | 'health' | 'architecture' | 'deniedDigests'> {
  if (host.record === null) {
    return { bootedDigest: '', bootId: '', health: 'Unknown', architecture: '', deniedDigests: [] }
  }
  const { architecture, bootedDigest, bootId, deniedDigests, health, phase } = host.record.report
  // After a fallback the verdict is on the image that was left, not on the one that runs.
  const verdict = phase === 'RolledBack' ? 'Unknown' : health.verdict
  return { bootedDigest: bootedDigest ?? '', bootId, health: verdict, architecture, deniedDigests }
}

function conditionsOf(host: Host): readonly string[] {
  const conditions = host.connected ? [] : ['Unreachable']
  if (host.owners.length > 1) conditions.push('MultipleOwners')
  if (host.owners.length === 0) conditions.push('NoFleet')
  return conditions
}

/** Only images that some rollout named have a version that we know. */
function versionOf(state: RolloutEngineState, host: Host): string {
  if (host.record === null) return ''
  for (const { record } of state.rollouts.values()) {
    for (const image of [record.image, record.from?.image]) {
      if (image !== undefined && runsImage(host.record.report, image)) return image.version
    }
  }
  return ''
}

/** Pending and Skipped are not stored: a host that was granted nothing in a wave that is over was skipped. */
export function phaseOf(rollout: Rollout, host: Host): HostPhase {
  const grant = host.grants.get(rollout.record.id)
  if (grant !== undefined) return grant.phase
  const wave = rollout.record.waves[bucketIndexOf(rollout, host)]
  switch (wave?.state) {
    case 'Succeeded':
    case 'Skipped':
    case 'Soaking':
      return 'Skipped'
    case 'Cancelled':
    case 'Failed':
      return 'Cancelled'
    case 'Pending':
    case 'Running':
    case undefined:
      return 'Pending'
  }
}

function sentenceOf(state: RolloutEngineState, host: Host, now: Now): string {
  const explanation = explain(state, host.id, now)
  return explanation.kind === 'Progressing' ? explanation.message : renderReason(explanation)
}

/** Failed first, then under way, then waiting; hosts that are where they should be need no attention. */
export function attentionOf(
  state: RolloutEngineState,
  rollout: Rollout,
  now: Now,
): readonly HostInRolloutView[] {
  const isCurrent = state.fleets.get(rollout.record.fleet)?.record.rolloutId === rollout.record.id
  return [...state.hosts.values()]
    .filter(
      (host) => host.grants.has(rollout.record.id) || (isCurrent && ownerOf(host) === rollout.record.fleet),
    )
    .map((host) => ({
      hostId: host.id,
      hostName: nameOf(host),
      phase: phaseOf(rollout, host),
      wave: rollout.record.waves[bucketIndexOf(rollout, host)]?.name ?? '',
      message: isCurrent
        ? sentenceOf(state, host, now)
        : (host.grants.get(rollout.record.id) as GrantRecord).message,
    }))
    .filter((view) => view.phase !== 'Succeeded')
    .toSorted((a, b) => urgency(a.phase) - urgency(b.phase) || compare(a.hostName, b.hostName))
    .slice(0, attentionMax)
}

function urgency(phase: HostPhase): number {
  if (isFailure(phase)) return 0
  return isEnded(phase) ? 3 : phase === 'Pending' ? 2 : 1
}

function compare(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}
