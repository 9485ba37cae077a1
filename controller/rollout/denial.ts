import { denialOf } from './fleet-record.ts'
import { recountFleet } from './contribution.ts'
import { withdraw } from './grants.ts'
import { targetOf } from './needs.ts'
import { fleetOf, writeFleet } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Fleet, RolloutEngineState } from './state.ts'
import type { DeniedDigest, FleetRecord } from './records.ts'
import type { RolloutEvent } from './events.ts'
import { withVerb } from './verb-log.ts'

type DenialEvent = Extract<RolloutEvent, { readonly kind: 'deny' | 'allow' }>

/** Fewer than a plan may carry; past it the oldest are forgotten, which hosts still know. */
const denialsMax = 200
const allowedMax = 32

export function denyDigest(
  state: RolloutEngineState,
  changes: Changes,
  of: { readonly fleet: Fleet } & Omit<DeniedDigest, 'atMs'>,
): void {
  const { fleet, ...denial } = of
  if (denialOf(fleet, denial.digest) !== null) return
  writeFleet(state, changes, withDenials(fleet.record, [{ ...denial, atMs: changes.now.wallMs }]))
}

function withDenials(record: FleetRecord, denials: readonly DeniedDigest[]): FleetRecord {
  const fresh = new Set(denials.map(({ digest }) => digest))
  const denied = [...record.denied.filter(({ digest }) => !fresh.has(digest)), ...denials].slice(-denialsMax)
  return { ...record, denied, allowed: record.allowed.filter((digest) => !fresh.has(digest)) }
}

/** What is no longer denied may be taken again by hosts that fell back from it or were told never to run it. */
function withoutDenials(record: FleetRecord, digests: readonly string[]): FleetRecord {
  const denied = record.denied.filter(({ digest }) => !digests.includes(digest))
  const kept = record.allowed.filter((digest) => !digests.includes(digest))
  return { ...record, denied, allowed: [...kept, ...digests].slice(-allowedMax) }
}

/** An operator's word is kept whatever comes of it; what git denies, only git allows. */
export function takeDenial(state: RolloutEngineState, changes: Changes, event: DenialEvent): void {
  const fleet = state.fleets.get(event.fleet)
  if (fleet === undefined) return
  const { actor, digest, kind, reason } = event
  const atMs = changes.now.wallMs
  const verb = { atMs, actor, verb: `${kind} ${digest}`, reason }
  const before = denialOf(fleet, digest)
  if (kind === 'deny') {
    const why = reason === '' ? `denied by ${actor}` : reason
    const denial = { digest, reason: why, atMs, origin: 'Operator', actor } as const
    writeFleet(state, changes, withVerb(withDenials(fleet.record, before === null ? [denial] : []), verb))
    withdrawDenied(state, changes, fleet)
  } else {
    const record = before?.origin === 'Git' ? fleet.record : withoutDenials(fleet.record, [digest])
    writeFleet(state, changes, withVerb(record, verb))
    // A rollback may have denied it before git did.
    denyAsGitSays(state, changes)
  }
  recountFleet(state, changes, event.fleet)
  changes.again = true
}

/** Git denies while it says so: what it says is kept, so that its end reaches the hosts as an allowance. */
export function denyAsGitSays(state: RolloutEngineState, changes: Changes): void {
  for (const wanted of state.wanted?.values() ?? []) {
    const fleet = fleetOf(state, wanted.name)
    const said = new Set(wanted.deny.map(({ digest }) => digest))
    const ended = fleet.record.denied.filter(({ digest, origin }) => origin === 'Git' && !said.has(digest))
    const begun = wanted.deny.filter(({ digest }) => denialOf(fleet, digest) === null)
    if (ended.length === 0 && begun.length === 0) continue
    const atMs = changes.now.wallMs
    const denials = begun.map(({ digest, reason }) => {
      return { digest, reason, atMs, origin: 'Git', actor: '' } as const
    })
    const record = withoutDenials(
      fleet.record,
      ended.map(({ digest }) => digest),
    )
    writeFleet(state, changes, withDenials(record, denials))
    withdrawDenied(state, changes, fleet)
    recountFleet(state, changes, wanted.name)
    changes.again = true
  }
}

/** No host goes on with what is denied now, unless it is past the commit point. */
export function withdrawDenied(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  for (const host of state.hosts.values()) {
    for (const grant of host.grants.values()) {
      const rollout = state.rollouts.get(grant.rolloutId)?.record
      if (rollout?.fleet !== fleet.record.fleet) continue
      const denied = denialOf(fleet, targetOf(rollout, grant).digest)
      if (denied === null) continue
      withdraw(state, changes, { grant, phase: 'Removed', message: `denied: ${denied.reason}` })
    }
  }
}
