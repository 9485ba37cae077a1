import { ControllerError } from '../errors.ts'
import { gateToPromote, needsSeveral } from '../rollout/promotion.ts'
import { canGoBack } from '../rollout/rollback.ts'
import { renderPause, shortDigest } from '../rollout/sentences.ts'
import type { Bucket, Fleet, Rollout } from '../rollout/state.ts'
import { rolloutWords, waveWords } from '../rollout/state-words.ts'
import type { WaveRecord } from '../rollout/records.ts'
import { activeWaveIndex } from '../rollout/waves.ts'
import { already, by, named, refuse, refuseDenied } from './answers.ts'
import type { OrderPlan, RolloutOrder } from './order.ts'
import type { FoundRollout } from './targets.ts'

export function planVerb(found: FoundRollout, order: RolloutOrder): OrderPlan {
  const { fleet, rollout } = found
  switch (order.kind) {
    case 'pause':
      return planPause(rollout, order)
    case 'resume':
      return planResume(fleet, rollout, order)
    case 'approve':
      return planApprove(rollout, order)
    case 'promote':
      return planPromote(found, order)
    case 'abort':
      return planAbort(rollout, order)
    case 'rollback':
      return planRollback(rollout, order)
  }
}

function planPause(rollout: Rollout, order: RolloutOrder): OrderPlan {
  const { state } = rollout.record
  if (state.kind === 'Progressing') return plan(rollout, order, 'paused; hosts under way finish')
  if (state.kind === 'Paused') return already(rollout, `was paused already: ${renderPause(state.cause)}`)
  return refuse(
    rollout,
    'pausing',
    `it ${rolloutWords[state.kind]}; only one that is under way can be paused`,
  )
}

function planResume(fleet: Fleet, rollout: Rollout, order: RolloutOrder): OrderPlan {
  const { state } = rollout.record
  if (state.kind === 'Progressing') return already(rollout, 'is not paused')
  if (state.kind !== 'Paused') {
    return refuse(
      rollout,
      'resuming',
      `it ${rolloutWords[state.kind]}; only one that is paused can be resumed`,
    )
  }
  refuseDenied(fleet, rollout, 'resuming')
  const empty = emptyAndBlocked(rollout)
  if (empty !== null) {
    const found = `wave "${empty}" has no hosts and must not be empty, so it pauses again unless one has joined`
    return plan(rollout, order, `resumed; ${found}; "bootfleet promote" goes on without it`)
  }
  return plan(rollout, order, 'resumed; its gate is judged again with what is known now')
}

/** Name of the wave whose emptiness paused the rollout. */
function emptyAndBlocked({ buckets, record }: Rollout): string | null {
  const { state, waves } = record
  const index = activeWaveIndex(waves)
  const wave = waves[index]
  if (wave === undefined || state.kind !== 'Paused' || state.cause.kind !== 'Inconclusive') return null
  return wave.onEmpty === 'Block' && buckets[index]?.members === 0 ? wave.name : null
}

/** Also when the time for it is over, or a person paused: the answer is late then, or early, but not wrong. */
function planApprove(rollout: Rollout, order: RolloutOrder): OrderPlan {
  const { state, waves } = rollout.record
  const active = waves[activeWaveIndex(waves)]
  const wave = order.wave === null ? active : waveNamed(rollout, order.wave)
  const isOpen = state.kind === 'Progressing' || state.kind === 'Paused'
  if (isOpen && wave !== undefined && wave === active && isAsking(wave)) {
    return planApprovalOf(rollout, wave, order)
  }
  const approved = order.wave === null ? waves.findLast((each) => each.approved !== null) : wave
  if (approved?.approved) {
    return already(rollout, `wave "${approved.name}" was approved already, ${by(approved.approved)}`)
  }
  const found =
    wave === undefined ? `it ${rolloutWords[state.kind]}` : `wave "${wave.name}" ${waveWords[wave.state]}`
  return refuse(rollout, 'approving', `${found}; nothing waits for approval`)
}

/** Each person counts once. */
function planApprovalOf(rollout: Rollout, wave: WaveRecord, order: RolloutOrder): OrderPlan {
  const { state } = rollout.record
  const given = wave.approvals.find(({ actor }) => actor === order.actor)
  const approvers = wave.approval?.approvers ?? 1
  if (given !== undefined) {
    const left = `it waits for others, and has ${wave.approvals.length} of ${approvers}`
    return already(rollout, `wave "${wave.name}" was approved by you already, ${by(given)}; ${left}`)
  }
  const count = wave.approvals.length + 1
  const missing = count < approvers ? `, ${count} of ${approvers}: it waits for another person` : ''
  const stays = state.kind === 'Paused' && state.cause.kind !== 'Approval' ? '; it is still paused' : ''
  const message = `wave "${wave.name}" is approved${missing}${stays}`
  return plan(rollout, { ...order, wave: wave.name }, message)
}

function isAsking({ approved, state }: WaveRecord): boolean {
  return state === 'AwaitingApproval' && approved === null
}

function planPromote({ fleet, rollout }: FoundRollout, order: RolloutOrder): OrderPlan {
  const { state, waves } = rollout.record
  const index = activeWaveIndex(waves)
  const active = waves[index]
  const wave = order.wave === null ? active : waveNamed(rollout, order.wave)
  if (wave !== undefined && wave !== active && wave.promoted !== null) {
    return already(rollout, `wave "${wave.name}" was promoted already, ${by(wave.promoted)}`)
  }
  const found =
    wave === undefined
      ? `it ${rolloutWords[state.kind]}`
      : `it ${rolloutWords[state.kind]}, and wave "${wave.name}" ${waveWords[wave.state]}`
  const gate =
    wave !== undefined && wave === active
      ? gateToPromote(state, wave, rollout.buckets[index] as Bucket)
      : null
  if (wave === undefined || gate === null) {
    refuseAlone(rollout, wave)
    return refuse(rollout, 'promoting', `${found}; only a gate that the rollout is at can be passed`)
  }
  refuseDenied(fleet, rollout, 'promoting')
  const over = gate === 'Pause' ? 'it goes on' : `its gate "${gate}" is passed`
  return plan(rollout, { ...order, wave: wave.name }, `wave "${wave.name}" is promoted: ${over}`)
}

function refuseAlone(rollout: Rollout, wave: WaveRecord | undefined): void {
  if (wave === undefined || !needsSeveral(wave)) return
  const asked = `${wave.approval?.approvers} people must approve wave "${wave.name}"`
  refuse(rollout, 'promoting', `${asked}, and nobody alone passes that; approve it`)
}

function planAbort(rollout: Rollout, order: RolloutOrder): OrderPlan {
  const { state } = rollout.record
  if (state.kind === 'Aborted') return already(rollout, `was aborted already, ${by(state)}`)
  if (state.kind === 'Progressing' || state.kind === 'Paused') {
    return plan(rollout, order, 'aborted; hosts keep what they run')
  }
  return refuse(
    rollout,
    'aborting',
    `it ${rolloutWords[state.kind]}; only one that is under way or paused can be aborted`,
  )
}

function planRollback(rollout: Rollout, order: RolloutOrder): OrderPlan {
  const { from, state } = rollout.record
  switch (state.kind) {
    case 'RollingBack':
      return already(rollout, 'is rolling back already')
    case 'RolledBack':
      return already(rollout, 'was rolled back already')
    case 'RollbackFailed':
      return already(rollout, 'was rolled back already, and hosts failed on the way')
    case 'Superseded':
      return refuse(rollout, 'rolling back', `rollout ${state.by} replaced it; name that one`)
    case 'Succeeded':
      return refuse(rollout, 'rolling back', 'it succeeded; let git name the digest to go back to')
    case 'Progressing':
    case 'Paused':
    case 'Aborted':
  }
  if (from === null || !canGoBack(rollout.record)) {
    const found = 'its fleet has no other image that succeeded, so there is nothing to go back to'
    return refuse(rollout, 'rolling back', `${found}; abort it, or let git name another digest`)
  }
  return plan(rollout, order, `its digest is denied, and hosts go back to ${shortDigest(from.image.digest)}`)
}

function waveNamed(rollout: Rollout, name: string): WaveRecord {
  const wave = rollout.record.waves.find((each) => each.name === name)
  if (wave !== undefined) return wave
  const names = rollout.record.waves.map((each) => each.name).join(', ')
  throw new ControllerError(
    'NotFound',
    `looking for wave ${name} of rollout ${rollout.record.id}: it has ${names}`,
  )
}

function plan(rollout: Rollout, order: RolloutOrder, message: string): OrderPlan {
  const { kind, wave, actor, reason } = order
  const event = { kind, rolloutId: rollout.record.id, actor, reason, ...(wave === null ? {} : { wave }) }
  return { ...named(rollout, message), event }
}
