import { ControllerError } from './errors.ts'
import { findHost } from './orders/targets.ts'
import type { Revocations } from './revocations.ts'
import type { EnrolmentRecord } from './rollout/records.ts'
import type { RolloutEngineState } from './rollout/state.ts'

export type RevocationOrder = {
  /** Name or id. */
  readonly host: string
  readonly actor: string
  readonly reason: string
}

export type Revoked = { readonly hostId: string; readonly message: string; readonly changed: boolean }

export type RevocationParts = {
  readonly state: RolloutEngineState
  readonly revocations: Pick<Revocations, 'keep'>
  store(record: EnrolmentRecord): Promise<void>
  /** The engine takes the host out of its fleet, and its connection is ended. */
  takeIn(record: EnrolmentRecord): Promise<void>
  readonly nowMs: number
}

/** @throws ControllerError NotFound, RequestInvalid without a reason, StoreUnavailable. */
export async function revokeHost(order: RevocationOrder, parts: RevocationParts): Promise<Revoked> {
  const { actor, reason } = order
  const { nowMs } = parts
  if (reason === '') throw new ControllerError('RequestInvalid', 'revoking a host: say why; it is kept')
  const { id: hostId, enrolment } = findHost(parts.state, order.host)
  if (enrolment === null) {
    throw new ControllerError(
      'NotFound',
      `revoking ${order.host}: it is not enrolled, so nothing is open to it`,
    )
  }
  const before = enrolment.revoked
  if (before !== undefined) {
    const message = `host ${enrolment.name} was revoked by ${before.actor} already: ${before.reason}`
    // The file may lack it after an earlier try that failed half-way.
    await parts.revocations.keep(hostId, before, before.atMs)
    return { hostId, message, changed: false }
  }
  const record = { ...enrolment, revoked: { atMs: nowMs, actor, reason } }
  await parts.revocations.keep(hostId, record.revoked, nowMs)
  await parts.store(record)
  await parts.takeIn(record)
  const message = `host ${enrolment.name} is revoked: it is cut off, and gets no certificate and no plan; only a person lets it in again`
  return { hostId, message, changed: true }
}
