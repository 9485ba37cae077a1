import { ControllerError } from '../errors.ts'
import type { Fleet, RolloutEngineState } from '../rollout/state.ts'
import type { DeniedDigest } from '../rollout/records.ts'
import type { DigestOrder, OrderPlan } from './order.ts'
import { findFleet } from './targets.ts'

const digestPattern = /^sha256:[0-9a-f]{64}$/
const beginningPattern = /^(sha256:)?([0-9a-f]{4,64})$/

export function planDigest(state: RolloutEngineState, order: DigestOrder): OrderPlan {
  const fleet = findFleet(state, order.fleet)
  const name = order.fleet
  const digest = wholeDigest(state, fleet, order.digest)
  const denial = fleet.record.denied.find((denied) => denied.digest === digest)
  const git = state.wanted?.get(name)?.deny.find((denied) => denied.digest === digest)
  const { kind, actor, reason } = order
  const plan = (message: string): OrderPlan => ({
    rolloutId: '',
    digest,
    message,
    event: { kind, fleet: name, digest, actor, reason },
  })
  const already = (message: string): OrderPlan => ({ rolloutId: '', digest, message, event: null })
  if (kind === 'deny') {
    if (denial !== undefined) return already(`${digest} was denied to fleet ${name} already, ${by(denial)}`)
    return plan(`${digest} is denied to fleet ${name}: no host is granted it any more`)
  }
  if (git !== undefined) {
    const found = `git denies ${digest} to it (${git.reason})`
    throw new ControllerError(
      'RequestInvalid',
      `allowing a digest to fleet ${name}: ${found}; take it out of git`,
    )
  }
  // Hosts that fell back keep it in their own ledger until the fleet's plans say that they may take it again.
  const known = denial !== undefined || !fleet.record.allowed.includes(digest)
  return known
    ? plan(`${digest} is allowed to fleet ${name} again`)
    : already(`${digest} is not denied to fleet ${name}`)
}

function by({ actor, reason, origin, atMs }: DeniedDigest): string {
  const who = actor === '' ? `(${origin})` : `by ${actor}`
  return `${who} at ${new Date(atMs).toISOString()}: ${reason}`
}

/** A digest in full may be one that nobody has seen yet; a beginning must name one that the fleet knows. */
function wholeDigest(state: RolloutEngineState, fleet: Fleet, text: string): string {
  if (digestPattern.test(text)) return text
  const refuse = (found: string): never => {
    throw new ControllerError(
      'RequestInvalid',
      `looking for digest ${JSON.stringify(text.slice(0, 300))}: ${found}`,
    )
  }
  const beginning = beginningPattern.exec(text)?.[2]
  if (beginning === undefined) return refuse('write sha256:… in full, or at least its first 4 hex digits')
  const name = fleet.record.fleet
  const matching = [...known(state, fleet)].filter((digest) => digest.startsWith(`sha256:${beginning}`))
  const [only, ...more] = matching
  if (only === undefined) return refuse(`fleet ${name} knows none that begins so; write it in full`)
  return more.length === 0
    ? only
    : refuse(`fleet ${name} knows ${matching.length} that begin so; write more of it`)
}

function known(state: RolloutEngineState, { record }: Fleet): ReadonlySet<string> {
  const digests = new Set([...record.denied.map(({ digest }) => digest), ...record.allowed])
  for (const { record: rollout } of state.rollouts.values()) {
    if (rollout.fleet === record.fleet) digests.add(rollout.image.digest)
  }
  const wanted = state.wanted?.get(record.fleet)?.image?.digest
  if (wanted !== undefined) digests.add(wanted)
  if (record.stable !== null) digests.add(record.stable.image.digest)
  return digests
}
