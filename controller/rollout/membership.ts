import { matchesSelector } from '../desired-state/label-selector.ts'
import { learnVersion } from './barriers.ts'
import { recount } from './contribution.ts'
import { putOff, withdraw } from './grants.ts'
import { argumentsFor, wantsOthers } from './kernel-arguments.ts'
import { eachHost } from './jobs.ts'
import { isCommitted, isEnded } from './phases.ts'
import { isReportOnly, labelsOf, moveOf, nameOf, ownerOf } from './host-names.ts'
import type { Changes } from './changes.ts'
import type { HoldEnd, Host, RolloutEngineState } from './state.ts'
import type { GrantRecord } from './records.ts'
import type { LocalMove } from './report.ts'
import type { Now } from './now.ts'
import type { WantedFleet } from './wanted.ts'

/**
 * Gives the host to the fleets that select it, and takes back what a fleet that it left had granted, or what a hold
 * or a pin no longer wants. A fleet that is missing from the commit is not a fleet that the host left: its hosts
 * stay as they are.
 */
export function assignOwner(state: RolloutEngineState, changes: Changes, host: Host): void {
  recount(state, host, () => place(state, changes, host))
  if (state.wanted === null) return
  for (const grant of host.grants.values()) {
    if (isEnded(grant.phase) || isCommitted(grant.phase)) continue
    const message = withdrawnFor(state, host, grant)
    if (message !== null) withdraw(state, changes, { grant, phase: 'Removed', message })
    // What it is being given would be replaced at once.
    else if (wantsOthers(host, grant)) putOff(state, changes, grant)
  }
}

function place(state: RolloutEngineState, changes: Changes, host: Host): void {
  host.labels = labelsOf(state, host)
  const wanted = [...(state.wanted?.values() ?? [])]
  const isTrusted = host.enrolment !== null && host.enrolment.revoked === undefined
  const owners = isTrusted ? wanted.filter((fleet) => matchesSelector(fleet.selector, host.labels)) : []
  host.owners = owners.map((fleet) => fleet.name).toSorted()
  host.pin = pinOf(state, host)
  host.kernelArguments = argumentsFor(state, host)
  host.hold = holdOf(state, host, changes.now)
  host.unguarded = isUnguarded(state, host)
}

function pinOf(state: RolloutEngineState, host: Host): Host['pin'] {
  const digest = state.declarations.get(nameOf(host))?.pin ?? null
  if (digest === null || isReportOnly(host)) return null
  const pins = state.wanted?.get(ownerOf(host) ?? '')?.pins ?? []
  return { digest, image: pins.find((image) => image.digest === digest) ?? null }
}

function holdOf(state: RolloutEngineState, host: Host, now: Now): Host['hold'] {
  const hold = state.declarations.get(nameOf(host))?.hold ?? null
  return (hold?.untilMs ?? Infinity) <= now.wallMs ? null : hold
}

/** Before git is read nobody knows what it allows. */
function isUnguarded(state: RolloutEngineState, host: Host): boolean {
  if (state.wanted === null || host.record?.report.unguarded !== true) return false
  return state.declarations.get(nameOf(host))?.allowUnguardedBoot !== true
}

function withdrawnFor(state: RolloutEngineState, host: Host, grant: GrantRecord): string | null {
  if (isReportOnly(host)) return 'it only reports now'
  const fleet = state.rollouts.get(grant.rolloutId)?.record.fleet
  if (fleet !== undefined && state.wanted?.has(fleet) === true && fleet !== ownerOf(host)) {
    return `left fleet ${fleet}`
  }
  const kept = keptBack(host)
  if (kept !== null) return kept
  if (host.pin !== null && grant.image?.digest !== host.pin.digest) return `pinned to ${host.pin.digest}`
  return host.pin === null && grant.pinned ? 'pinned no more' : null
}

/** Why its turn does not come, as `isHeld` has it. */
function keptBack(host: Host): string | null {
  if (host.hold !== null) return `held: ${host.hold.reason}`
  const move = moveOf(host)
  if (move !== null) return messageOfMove(move)
  return host.unguarded ? 'its boot loader counts no tries, and git allows no unguarded boot' : null
}

export function messageOfMove({ command, user }: LocalMove): string {
  return `Drifted(local): ${user} chose what it boots, with container-snap ${command}`
}

/** Takes in the whole of a commit: who is where, and for how long. */
export function assignAll(state: RolloutEngineState, changes: Changes, fleets: readonly WantedFleet[]): void {
  for (const fleet of fleets) {
    for (const image of [fleet.image, ...fleet.pins, ...fleet.requires.map(({ via }) => via)]) {
      learnVersion(state.versions, image)
    }
  }
  // Every host is counted anew, and whatever was begun for the commit before is void.
  state.jobs.length = 0
  const ends: HoldEnd[] = []
  const visit = (host: Host, current: Changes): void => {
    assignOwner(state, current, host)
    ends.push(...holdEndsOf(host))
  }
  const after = (): void => void (state.holdEnds = byTime(ends))
  eachHost(state, { concerns: { kind: 'every' }, visit, after }, changes)
}

export function noteHoldEnd(state: RolloutEngineState, host: Host): void {
  const others = state.holdEnds.filter(({ hostId }) => hostId !== host.id)
  state.holdEnds = byTime([...others, ...holdEndsOf(host)])
}

function holdEndsOf({ hold, id }: Host): readonly HoldEnd[] {
  return hold === null || hold.untilMs === null ? [] : [{ atMs: hold.untilMs, hostId: id }]
}

function byTime(ends: readonly HoldEnd[]): readonly HoldEnd[] {
  return ends.toSorted((a, b) => a.atMs - b.atMs)
}

/** Holds that are over by now. */
export function endHolds(state: RolloutEngineState, changes: Changes): void {
  const { wallMs } = changes.now
  if ((state.holdEnds[0]?.atMs ?? Infinity) > wallMs) return
  for (const { atMs, hostId } of state.holdEnds) {
    const host = state.hosts.get(hostId)
    if (atMs <= wallMs && host !== undefined) assignOwner(state, changes, host)
  }
  state.holdEnds = state.holdEnds.filter(({ atMs }) => atMs > wallMs)
}

export function timeToHoldEnd(state: RolloutEngineState, now: Now): number | null {
  const [first] = state.holdEnds
  return first === undefined ? null : Math.max(0, first.atMs - now.wallMs)
}
