import { ControllerError } from '../errors.ts'
import { moveOf, nameOf } from '../rollout/host-names.ts'
import { shortDigest } from '../rollout/sentences.ts'
import type { RolloutEngineState } from '../rollout/state.ts'
import { by } from './answers.ts'
import type { OrderPlan, ResumeHostOrder } from './order.ts'
import { findHost } from './targets.ts'

/** @throws ControllerError NotFound, RequestInvalid. */
export function planResumeHost(state: RolloutEngineState, order: ResumeHostOrder): OrderPlan {
  const host = findHost(state, order.host)
  const { actor, reason } = order
  const subject = `host ${nameOf(host)}`
  const move = moveOf(host)
  const plan = { rolloutId: '', digest: '' }
  if (move !== null) {
    const what = move.digest === null ? 'what it was made to boot' : shortDigest(move.digest)
    const message = `${subject} follows its fleet again, and leaves ${what} where that names another image`
    const event = { kind: 'resumeHost', hostId: host.id, moveId: move.id, actor, reason } as const
    return { ...plan, message, event }
  }
  const resumed = host.record?.resumed
  // Also where the host has followed since, and speaks of no move any more.
  if (resumed !== undefined) {
    return { ...plan, message: `${subject} was resumed already, ${by(resumed)}`, event: null }
  }
  const found =
    'nobody on it chose what it boots; a hold in git is ended there, a pause with the name of its fleet'
  throw new ControllerError('RequestInvalid', `resuming ${subject}: ${found}`)
}
