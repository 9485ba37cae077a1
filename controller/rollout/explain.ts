import { fleetBlock } from './budget.ts'
import { bucketIndexOf } from './bucket-index.ts'
import { hasDrifted, runsImage } from './evidence.ts'
import { denialOf } from './fleet-record.ts'
import { blockOfHost, blockOfMove } from './host-blocks.ts'
import { grantElsewhere, imageOf, needOf, targetOf } from './needs.ts'
import type { Need } from './needs.ts'
import { isEnded, isFailure, isUnavailable } from './phases.ts'
import { duration, phaseWord, shortDigest, shortImage } from './sentences.ts'
import { currentRollout } from './state-entries.ts'
import { isReportOnly, moveOf, nameOf, ownerOf } from './host-names.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { BlockingReason, HostPhase } from './states.ts'
import type { GrantRecord, WaveRecord } from './records.ts'
import type { Now } from './now.ts'
import type { HostReport } from './report.ts'
import { waitForActivation, waitForDownload } from './waits.ts'
import { blockOfWanted } from './wanted-blocks.ts'
import { activeWaveIndex } from './waves.ts'

export type Progress = { readonly kind: 'Progressing'; readonly phase: HostPhase; readonly message: string }
export type Explanation = BlockingReason | Progress

/** The first thing that keeps a host from its next step, or what it is doing. */
export function explain(state: RolloutEngineState, hostId: string, now: Now): Explanation {
  const host = state.hosts.get(hostId)
  if (host !== undefined && isReportOnly(host)) return { kind: 'ReportOnly' }
  if (host === undefined || (host.owners.length === 0 && host.grants.size === 0)) return { kind: 'NoFleet' }
  if (host.owners.length > 1) return { kind: 'MultipleOwners', fleets: host.owners }
  const fleet = state.fleets.get(ownerOf(host) ?? '')
  if (fleet === undefined) return withoutOwner(state, host)
  const rollout = currentRollout(state, fleet)
  const elsewhere = grantElsewhere(host, rollout?.record.id ?? null)
  if (elsewhere !== null) return { kind: 'OldRolloutInFlight', rolloutId: elsewhere.rolloutId }
  if (rollout === null) return fleetBlock(state, fleet) ?? beforeAny(host, now)
  return inRollout(state, { fleet, rollout, host }, now)
}

/** The first rollout of a fleet begins when a host of it was heard that nobody holds. */
function beforeAny(host: Host, now: Now): Explanation {
  const { hold, record } = host
  if (hold !== null) {
    const inMs = hold.untilMs === null ? null : Math.max(0, hold.untilMs - now.wallMs)
    return { kind: 'Held', reason: hold.reason, inMs }
  }
  const move = moveOf(host)
  if (move !== null) return blockOfMove(host, move, now.wallMs)
  if (host.unguarded) return { kind: 'Unguarded', host: nameOf(host) }
  return record === null ? { kind: 'Unreachable' } : planning
}

/** A fleet that nothing blocks has a rollout, or is about to. */
const planning: Progress = { kind: 'Progressing', phase: 'Pending', message: 'its rollout is being planned' }

function withoutOwner(state: RolloutEngineState, host: Host): Explanation {
  const left = [...host.grants.values()].some((grant) => {
    const fleet = state.rollouts.get(grant.rolloutId)?.record.fleet
    return fleet !== undefined && state.wanted?.has(fleet) === true
  })
  return left ? { kind: 'NoFleet' } : { kind: 'FleetNotWanted' }
}

type Place = { readonly fleet: Fleet; readonly rollout: Rollout; readonly host: Host }

function inRollout(state: RolloutEngineState, place: Place, now: Now): Explanation {
  const { fleet, host, rollout } = place
  const grant = host.grants.get(rollout.record.id) ?? null
  if (grant !== null && isUnderWay(grant)) {
    return { kind: 'Progressing', phase: grant.phase, message: progressOf(rollout, grant, now) }
  }
  const index = bucketIndexOf(rollout, host)
  const isTail = index === rollout.record.waves.length
  const need = needOf(state, { rollout: rollout.record, host, isTail })
  const apart = blockOfHost(state, place, need, now.wallMs) ?? pinned(host, need)
  if (apart !== null) return apart
  if (grant !== null && isEnded(grant.phase) && (need === null || isFailure(grant.phase))) {
    return waitsForNewer(state, place) ?? ended(place, grant)
  }
  const turn = host.pin === null ? waitsForWave(rollout, index, grant) : null
  const block = fleetBlock(state, fleet) ?? turn
  if (block !== null) return block
  return nextStep(state, { ...place, grant, need }, now)
}

function isUnderWay({ phase }: GrantRecord): boolean {
  return !isEnded(phase) && phase !== 'AwaitingSlot'
}

/** Where git wants something newer than the rollout that the host is done with, what keeps that from beginning. */
function waitsForNewer(state: RolloutEngineState, { fleet, host, rollout }: Place): BlockingReason | null {
  const wanted = state.wanted?.get(fleet.record.fleet)
  if (wanted?.unverified !== undefined) return { kind: 'Unverified', message: wanted.unverified }
  if (wanted?.image == null || wanted.revision === rollout.record.revision) return null
  if (host.record !== null && runsImage(host.record.report, wanted.image)) return null
  return fleetBlock(state, fleet) ?? blockOfWanted(fleet, wanted)
}

function pinned({ pin, record }: Host, need: Need | null): BlockingReason | null {
  if (pin?.image == null || need !== null || record === null) return null
  return runsImage(record.report, pin.image) ? { kind: 'Pinned', digest: pin.digest } : null
}

/** Nothing holds its wave: what is left concerns the host itself. */
function nextStep(
  state: RolloutEngineState,
  place: Place & { readonly grant: GrantRecord | null; readonly need: Need | null },
  now: Now,
): Explanation {
  const { grant, host, need, rollout } = place
  if (!host.connected || host.record === null) return { kind: 'Unreachable' }
  if (grant?.phase === 'AwaitingSlot') return waitForActivation(state, place, now)
  if (need === null) {
    const message = `runs ${shortImage(imageOf(rollout.record, 'Back'))}`
    return { kind: 'Progressing', phase: 'Succeeded', message }
  }
  const { architecture } = host.record.report
  if (targetOf(rollout.record, need).manifests[architecture] === undefined) {
    return { kind: 'NoManifestForArchitecture', architecture }
  }
  const wait = waitForDownload(state, place, now)
  return wait ?? { kind: 'Progressing', phase: 'Pending', message: 'next to be granted' }
}

function ended({ fleet, host: { record }, rollout }: Place, grant: GrantRecord): Explanation {
  const image = targetOf(rollout.record, grant)
  if (grant.phase === 'Succeeded') {
    const drifted = record !== null && hasDrifted(record.report, grant, image)
    const message =
      drifted && runsImage(record.report, image)
        ? `runs ${shortImage(image)}, with other kernel arguments than it was given`
        : drifted
          ? `was on ${shortImage(image)} and now runs ${bootedOf(record.report)}`
          : `runs ${shortImage(image)}`
    return { kind: 'Progressing', phase: grant.phase, message }
  }
  const ending = { kind: 'Ended', phase: grant.phase, message: grant.message } as const
  return denialOf(fleet, image.digest) === null ? ending : { ...ending, denied: image.digest }
}

function bootedOf({ bootedDigest }: HostReport): string {
  return bootedDigest === null ? 'something else' : shortDigest(bootedDigest)
}

/** Only a running rollout makes anybody wait for his turn; a wave that is over leaves stragglers to the keeper. */
function waitsForWave(rollout: Rollout, index: number, grant: GrantRecord | null): BlockingReason | null {
  const { state, waves } = rollout.record
  if (state.kind === 'Aborted' && index < waves.length) {
    return { kind: 'RolloutAborted', actor: state.actor, reason: state.reason }
  }
  if (state.kind !== 'Progressing') return null
  const active = activeWaveIndex(waves)
  const wave = waves[active]
  if (wave === undefined || (index === active && isGranting(wave))) return null
  if (index === waves.length && rollout.record.from !== null) return null
  const kind = grant?.phase === 'AwaitingSlot' ? 'Prefetched' : 'WaitsForWave'
  return { kind, wave: wave.name }
}

function isGranting({ leavesBehind, state }: WaveRecord): boolean {
  return (state === 'Running' || state === 'WaitingWindow') && !leavesBehind
}

function progressOf(rollout: Rollout, grant: GrantRecord, now: Now): string {
  const image = shortImage(targetOf(rollout.record, grant))
  // What a host already ran it proves in its own time: nothing is to be taken back.
  const untilMs = isUnavailable(grant) ? grant.endBy : grant.stageUntilMs
  const left = untilMs === null ? '' : `, at most ${duration(Math.max(0, untilMs - now.wallMs))} more`
  return `${phaseWord(grant.phase)} ${grant.direction === 'Back' ? 'back to ' : ''}${image}${left}`
}
