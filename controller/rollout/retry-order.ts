import { denialOf } from './fleet-record.ts'
import { bucketIndexOf } from './bucket-index.ts'
import { writeGrant } from './grants.ts'
import { isFailure } from './phases.ts'
import { noRetries } from './retry.ts'
import { currentRollout, fleetOf, writeRollout } from './state-entries.ts'
import type { Bucket, Host, Rollout, RolloutEngineState } from './state.ts'
import type { Changes } from './changes.ts'
import type { RolloutState } from './states.ts'
import type { GrantRecord, RolloutRecord, VerbRecord, WaveRecord } from './records.ts'
import { withVerb } from './verb-log.ts'
import { again } from './wave-steps.ts'
import { activeWaveIndex } from './waves.ts'

type Retry = { readonly rollout: Rollout; readonly hostId: string | null; readonly said: VerbRecord }

/**
 * Failed hosts count as pending and get a new attempt when all limits allow it. A wave that they failed long ago is
 * not opened again: they are counted, and judged, in the one that the rollout is at.
 */
export function retryHosts(state: RolloutEngineState, changes: Changes, retry: Retry): void {
  const { hostId, rollout, said } = retry
  const { record } = rollout
  const fleet = fleetOf(state, record.fleet)
  if (currentRollout(state, fleet) !== rollout) return
  if (record.state.kind === 'Aborted') {
    if (hostId === null && !beginsAnew(record)) writeRollout(rollout, changes, withVerb(record, said))
    return
  }
  if (!isGoingBack(record.state) && denialOf(fleet, record.image.digest) !== null) return
  const failed = failedGrants(state, record, hostId)
  if (failed.length === 0) return
  const active = activeWaveIndex(record.waves)
  for (const [host, grant] of failed) {
    const wave = Math.max(active, bucketIndexOf(rollout, host))
    const retried = { wave, actor: said.actor, atMs: said.atMs }
    const message = `tried again by order of ${said.actor}; before: ${grant.message}`
    writeGrant(state, changes, {
      ...grant,
      phase: 'Pending',
      // The attempt before is over: withdrawn from here on, the grant is not corrected by what was told of that one.
      bootIdBefore: null,
      retried,
      retries: noRetries,
      message,
      endedAtMs: null,
    })
  }
  const waves = record.waves.map((wave, index) =>
    index === active ? reopened(wave, rollout.buckets[index] as Bucket) : wave,
  )
  writeRollout(rollout, changes, { ...withVerb(record, said), waves, state: goingOn(record.state) })
  changes.again = true
}

function isGoingBack({ kind }: RolloutState): boolean {
  return kind === 'RollingBack' || kind === 'RolledBack' || kind === 'RollbackFailed'
}

/** Nobody is sent forward again by a rollout that goes back. */
export function canTryAgain({ state }: RolloutRecord, { direction, phase }: GrantRecord): boolean {
  return isFailure(phase) && (!isGoingBack(state) || direction === 'Back')
}

/** The last thing that was ordered of an aborted rollout. */
export function beginsAnew({ log, state }: RolloutRecord): boolean {
  return state.kind === 'Aborted' && log.at(-1)?.verb === 'retry'
}

function failedGrants(
  state: RolloutEngineState,
  record: RolloutRecord,
  hostId: string | null,
): readonly (readonly [Host, GrantRecord])[] {
  const hosts = hostId === null ? [...state.hosts.values()] : [state.hosts.get(hostId)]
  return hosts.flatMap((host) => {
    const grant = host?.grants.get(record.id)
    return host !== undefined && grant !== undefined && canTryAgain(record, grant)
      ? [[host, grant] as const]
      : []
  })
}

/** A soak says nothing about hosts that begin only now; of the failures forgiven, the retried are none any more. */
function reopened(wave: WaveRecord, bucket: Bucket): WaveRecord {
  const isAtGate = wave.state === 'Soaking' || wave.state === 'Analysing' || wave.state === 'AwaitingApproval'
  const kept = { ...wave, forgivenFailures: Math.min(wave.forgivenFailures, bucket.failed) }
  return isAtGate ? again(kept) : kept
}

/** A pause for failures is judged again without those that are retried, any other stays. */
function goingOn(state: RolloutState): RolloutState {
  if (state.kind === 'Paused' && state.cause.kind === 'Failure') return { kind: 'Progressing' }
  return state.kind === 'RollbackFailed' ? { kind: 'RollingBack', cause: state.cause } : state
}
