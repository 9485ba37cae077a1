import { conditionWords } from '../../proto/picture/conditions.ts'
import { ControllerError } from '../errors.ts'
import { beginsAnew, canTryAgain } from '../rollout/retry-order.ts'
import { isReportOnly, nameOf, ownerOf } from '../rollout/host-names.ts'
import type { Host, Rollout, RolloutEngineState } from '../rollout/state.ts'
import { hostWords } from '../rollout/state-words.ts'
import { already, named, refuse, refuseDenied } from './answers.ts'
import type { OrderPlan, RetryOrder } from './order.ts'
import { findHost, findRollout } from './targets.ts'

export function planRetry(state: RolloutEngineState, order: RetryOrder): OrderPlan {
  const host = order.host === null ? null : findHost(state, order.host)
  const { fleet, rollout } = findRollout(state, targetOf(order, host))
  const { rolloutId } = fleet.record
  if (rolloutId !== rollout.record.id) {
    const found = `rollout ${rolloutId ?? ''} of its fleet came after it; name that one`
    return refuse(rollout, 'retrying', found)
  }
  if (!isGoingBack(rollout)) refuseDenied(fleet, rollout, 'retrying')
  const { actor, reason } = order
  const event = { kind: 'retry', rolloutId, hostId: host?.id ?? null, actor, reason } as const
  const plan = (message: string): OrderPlan => ({ ...named(rollout, message), event })
  if (host !== null) {
    refuseUnfailed(rollout, host)
    return plan(`host ${nameOf(host)} is queued again`)
  }
  if (beginsAnew(rollout.record)) return already(rollout, 'begins anew already')
  if (rollout.record.state.kind === 'Aborted') return plan('begins anew')
  const count = [...state.hosts.values()].filter((each) => canBeQueued(each, rollout)).length
  if (count === 0) return refuse(rollout, 'retrying', noneFailed(rollout))
  return plan(`${count} ${count === 1 ? 'host is' : 'hosts are'} queued again`)
}

function targetOf({ target }: RetryOrder, host: Host | null): string {
  if (target !== '' || host === null) return target
  const owner = ownerOf(host)
  if (owner !== null) return owner
  const found = 'no fleet alone selects it, so no rollout has it'
  throw new ControllerError('RequestInvalid', `retrying host ${nameOf(host)}: ${found}`)
}

/** What failed on the way back is tried again there, whatever is denied. */
function isGoingBack({ record }: Rollout): boolean {
  return record.state.kind === 'RollingBack' || record.state.kind === 'RollbackFailed'
}

function refuseUnfailed(rollout: Rollout, host: Host): void {
  if (canBeQueued(host, rollout)) return
  if (isGoingBack(rollout) || rollout.record.state.kind === 'RolledBack') {
    refuse(rollout, `retrying host ${nameOf(host)} in`, noneFailed(rollout))
  }
  if (isReportOnly(host))
    refuse(rollout, `retrying host ${nameOf(host)} in`, `it ${conditionWords.ReportOnly}`)
  const phase = host.grants.get(rollout.record.id)?.phase ?? 'Pending'
  refuse(
    rollout,
    `retrying host ${nameOf(host)} in`,
    `it ${hostWords[phase]}; only one that failed is tried again`,
  )
}

function noneFailed({ record }: Rollout): string {
  switch (record.state.kind) {
    case 'RollingBack':
    case 'RollbackFailed':
      return 'only hosts that failed on the way back are tried again'
    case 'RolledBack':
      return 'it went back; once its image is allowed, and while git names it, another rollout begins by itself'
    case 'Progressing':
    case 'Paused':
    case 'Aborted':
    case 'Succeeded':
    case 'Superseded':
      return 'none of its hosts failed'
  }
}

function canBeQueued(host: Host, { record }: Rollout): boolean {
  const grant = host.grants.get(record.id)
  return !isReportOnly(host) && grant !== undefined && canTryAgain(record, grant)
}
