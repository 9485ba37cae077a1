import { ControllerError } from '../errors.ts'
import { shortDigest } from '../rollout/sentences.ts'
import type { Fleet, Rollout } from '../rollout/state.ts'
import type { VerbRecord } from '../rollout/records.ts'
import type { OrderPlan } from './order.ts'

export function named({ record }: Rollout, message: string): Omit<OrderPlan, 'event'> {
  const subject = `rollout/${record.id} of fleet ${record.fleet}`
  return { rolloutId: record.id, digest: '', message: `${subject}: ${message}` }
}

/** What is ordered is so already. */
export function already(rollout: Rollout, message: string): OrderPlan {
  return { ...named(rollout, message), event: null }
}

export function by({ actor, reason, atMs }: Omit<VerbRecord, 'verb'>): string {
  return `by ${actor} at ${new Date(atMs).toISOString()}${reason === '' ? '' : `: "${reason}"`}`
}

/** @throws ControllerError RequestInvalid. */
export function refuse({ record }: Rollout, doing: string, found: string): never {
  throw new ControllerError('RequestInvalid', `${doing} rollout ${record.id}: ${found}`)
}

/** @throws ControllerError RequestInvalid when no host may be granted what the rollout is about. */
export function refuseDenied({ record }: Fleet, rollout: Rollout, doing: string): void {
  const { digest } = rollout.record.image
  const denied = record.denied.find((denial) => denial.digest === digest)
  if (denied === undefined) return
  const todo = 'git must name another digest, or an operator allow it'
  refuse(rollout, doing, `${shortDigest(digest)} is denied (${denied.reason}); ${todo}`)
}
