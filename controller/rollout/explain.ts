import { allowedUnavailable, fleetBlock, maxDownloads } from './budget.ts'
import { bucketIndexOf } from './contribution.ts'
import { grantElsewhere, imageOf, needOf } from './needs.ts'
import type { Direction } from './needs.ts'
import { isEnded, isFailure, isUnavailable } from './phases.ts'
import { duration, phaseWord, shortImage } from './sentences.ts'
import { currentRollout, ownerOf } from './state.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { BlockingReason, HostPhase } from './states.ts'
import type { GrantRecord, Now, WaveRecord } from './types.ts'
import { activeWaveIndex } from './waves.ts'

export type Progress = { readonly kind: 'Progressing'; readonly phase: HostPhase; readonly message: string }
export type Explanation = BlockingReason | Progress

/** The first thing that keeps a host from its next step, or what it is doing. */
export function explain(state: RolloutEngineState, hostId: string, now: Now): Explanation {
  const host = state.hosts.get(hostId)
  if (host === undefined || (host.owners.length === 0 && host.grants.size === 0)) return { kind: 'NoFleet' }
  if (host.owners.length > 1) return { kind: 'MultipleOwners', fleets: host.owners }
  const fleet = state.fleets.get(ownerOf(host) ?? '')
  if (fleet === undefined) return withoutOwner(state, host)
  const rollout = currentRollout(state, fleet)
  const elsewhere = grantElsewhere(host, rollout?.record.id ?? null)
  if (elsewhere !== null) return { kind: 'OldRolloutInFlight', rolloutId: elsewhere.rolloutId }
  // A fleet that nothing blocks has a rollout from the moment it has a host.
  if (rollout === null) return fleetBlock(state, fleet) as BlockingReason
  return inRollout(state, { fleet, rollout, host }, now)
}

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
  if (grant !== null && !isEnded(grant.phase) && grant.phase !== 'AwaitingSlot') {
    return { kind: 'Progressing', phase: grant.phase, message: progressOf(rollout, grant, now) }
  }
  const index = bucketIndexOf(rollout, host)
  const need = needOf(rollout.record, host, index === rollout.record.waves.length)
  if (grant !== null && isEnded(grant.phase) && (need === null || isFailure(grant.phase)))
    return ended(rollout, grant)
  const block = fleetBlock(state, fleet) ?? waitsForWave(rollout, index)
  if (block !== null) return block
  return nextStep(place, grant, need)
}

/** Nothing holds its wave: what is left concerns the host itself. */
function nextStep(
  { fleet, host, rollout }: Place,
  grant: GrantRecord | null,
  need: Direction | null,
): Explanation {
  if (!host.connected || host.record === null) return { kind: 'Unreachable' }
  if (grant?.phase === 'AwaitingSlot') {
    const allowed = allowedUnavailable(fleet, rollout.record)
    return { kind: 'MaxUnavailable', unavailable: fleet.unavailable, allowed }
  }
  if (need === null) {
    const message = `runs ${shortImage(imageOf(rollout.record, 'Back'))}`
    return { kind: 'Progressing', phase: 'Succeeded', message }
  }
  const { architecture } = host.record.report
  if (imageOf(rollout.record, need).manifests[architecture] === undefined) {
    return { kind: 'NoManifestForArchitecture', architecture }
  }
  if (fleet.staging >= maxDownloads) {
    return { kind: 'DownloadSlots', downloading: fleet.staging, allowed: maxDownloads }
  }
  return { kind: 'Progressing', phase: 'Pending', message: 'next to be granted' }
}

function ended(rollout: Rollout, grant: GrantRecord): Explanation {
  if (grant.phase === 'Succeeded') {
    const image = imageOf(rollout.record, grant.direction)
    return { kind: 'Progressing', phase: grant.phase, message: `runs ${shortImage(image)}` }
  }
  return { kind: 'Ended', phase: grant.phase, message: grant.message }
}

/** Only a running rollout makes anybody wait for his turn; a wave that is over leaves stragglers to the keeper. */
function waitsForWave(rollout: Rollout, index: number): BlockingReason | null {
  const { state, waves } = rollout.record
  if (state.kind !== 'Progressing') return null
  const active = activeWaveIndex(waves)
  if (index === active && waves[active]?.state === 'Running') return null
  if (index === waves.length && rollout.record.from !== null) return null
  return { kind: 'WaitsForWave', wave: (waves[active] as WaveRecord).name }
}

function progressOf(rollout: Rollout, grant: GrantRecord, now: Now): string {
  const image = shortImage(imageOf(rollout.record, grant.direction))
  const untilMs = isUnavailable(grant) ? grant.endBy : grant.stageUntilMs
  const left = `, at most ${duration(Math.max(0, (untilMs as number) - now.wallMs))} more`
  return `${phaseWord(grant.phase)} ${grant.direction === 'Back' ? 'back to ' : ''}${image}${left}`
}
