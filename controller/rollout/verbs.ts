import { abort } from './abort.ts'
import { denialOf } from './fleet-record.ts'
import { pauseRollout, resumeRollout } from './pause.ts'
import { gateToPromote, promoted } from './promotion.ts'
import { retryHosts } from './retry-order.ts'
import { canGoBack, rollBack } from './rollback.ts'
import { fleetOf, writeRollout } from './state-entries.ts'
import type { Bucket, Rollout, RolloutEngineState } from './state.ts'
import type { Changes } from './changes.ts'
import type { RetryVerb, RolloutVerb } from './events.ts'
import type { VerbRecord, WaveRecord } from './records.ts'
import { withVerb } from './verb-log.ts'
import { activeWaveIndex } from './waves.ts'

/**
 * An order that cannot change anything changes nothing, so that it may come late or twice; whoever submits it says
 * so to its operator. What it changes is in the rollout's log with who, when and why.
 */
export function takeVerb(state: RolloutEngineState, changes: Changes, verb: RolloutVerb | RetryVerb): void {
  const rollout = state.rollouts.get(verb.rolloutId)
  if (rollout === undefined) return
  const { actor, kind, reason } = verb
  const said: VerbRecord = { atMs: changes.now.wallMs, actor, verb: kind, reason }
  switch (verb.kind) {
    case 'pause':
      return pause(rollout, changes, said)
    case 'resume':
      if (!isDenied(state, rollout)) resumeRollout(rollout, changes, said)
      return
    case 'promote':
      if (!isDenied(state, rollout)) promote(rollout, changes, { said, wave: verb.wave ?? null })
      return
    case 'approve':
      return approve(rollout, changes, { said, wave: verb.wave ?? null })
    case 'abort':
      return abort(state, changes, { rollout, said })
    case 'rollback':
      return goBack(state, changes, { rollout, said })
    case 'retry':
      return retryHosts(state, changes, { rollout, hostId: verb.hostId, said })
  }
}

function isDenied(state: RolloutEngineState, { record }: Rollout): boolean {
  return denialOf(fleetOf(state, record.fleet), record.image.digest) !== null
}

function pause(rollout: Rollout, changes: Changes, said: VerbRecord): void {
  if (rollout.record.state.kind !== 'Progressing') return
  const { actor, atMs, reason } = said
  writeRollout(rollout, changes, withVerb(rollout.record, said))
  pauseRollout(rollout, changes, { kind: 'User', actor, reason, atMs })
}

type ForWave = { readonly said: VerbRecord; readonly wave: string | null }

/** The wave that the rollout is at, if that is the one that was meant. */
function activeFor(rollout: Rollout, wanted: string | null): readonly [number, WaveRecord] | null {
  const { waves } = rollout.record
  const index = activeWaveIndex(waves)
  const wave = waves[index]
  return wave === undefined || (wanted !== null && wanted !== wave.name) ? null : [index, wave]
}

/** Also lifts the pause that the gate, or a person, took: an order to go on that leaves it paused would be none. */
function promote(rollout: Rollout, changes: Changes, { said, wave: wanted }: ForWave): void {
  const { record } = rollout
  const [index, wave] = activeFor(rollout, wanted) ?? [-1, null]
  if (wave === null) return
  const bucket = rollout.buckets[index] as Bucket
  const gate = gateToPromote(record.state, wave, bucket)
  if (gate === null) return
  const waves = record.waves.with(index, promoted(wave, { gate, bucket, said }))
  writeRollout(rollout, changes, { ...withVerb(record, said), waves, state: { kind: 'Progressing' } })
  changes.again = true
}

/**
 * Each person counts once. The last one that is needed ends the pause that its own expiry took; a pause for another
 * cause stays, and finds the wave approved.
 */
function approve(rollout: Rollout, changes: Changes, { said, wave: wanted }: ForWave): void {
  const { record } = rollout
  const [index, wave] = activeFor(rollout, wanted) ?? [-1, null]
  const isOpen = record.state.kind === 'Progressing' || record.state.kind === 'Paused'
  if (wave?.state !== 'AwaitingApproval' || wave.approval === null || wave.approved !== null || !isOpen)
    return
  const { actor, atMs, reason } = said
  if (wave.approvals.some((earlier) => earlier.actor === actor)) return
  const approvals = [...wave.approvals, { actor, reason, atMs }]
  const approved = approvals.length < wave.approval.approvers ? null : { actor, reason, atMs }
  const waves = record.waves.with(index, { ...wave, approvals, approved })
  const isPausedForIt = record.state.kind === 'Paused' && record.state.cause.kind === 'Approval'
  const isExpired = isPausedForIt && approved !== null
  const next = isExpired ? { kind: 'Progressing' as const } : record.state
  writeRollout(rollout, changes, { ...withVerb(record, said), waves, state: next })
  changes.again = true
}

type Said = { readonly rollout: Rollout; readonly said: VerbRecord }

/** Only a rollout that did not succeed: what succeeded is stable, and git says what comes after it. */
function goBack(state: RolloutEngineState, changes: Changes, { rollout, said }: Said): void {
  const { record } = rollout
  const { kind } = record.state
  const isOpen = kind === 'Progressing' || kind === 'Paused' || kind === 'Aborted'
  if (!isOpen || !canGoBack(record)) return
  if (fleetOf(state, record.fleet).record.rolloutId !== record.id) return
  writeRollout(rollout, changes, withVerb(record, said))
  rollBack(state, changes, { rollout, said })
}
