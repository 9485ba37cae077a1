import type { FleetStatus, Status } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import { shortHash } from '../proto/picture/words.ts'
import { exitStatus } from './exit-status.ts'
import type { ExitStatus } from './exit-status.ts'

/**
 * What is waited for. `name` is a commit or a revision, whole or its beginning; `known` says that the source
 * is known to have reached it, so that a newer one means superseded rather than not yet seen.
 */
export type WaitTarget = { readonly name: string; readonly fleet: string | null; readonly known: boolean }

export type WaitMemory = {
  readonly kind: 'commit' | 'revision' | null
  /** Commit in force when the wait began; it says nothing about the one waited for. */
  readonly acceptedAtStart: string
  readonly wasInForce: boolean
}

export type Verdict =
  | { readonly kind: 'waiting'; readonly message: string }
  | { readonly kind: 'ended'; readonly exit: ExitStatus; readonly message: string }

export type WaitStep = { readonly memory: WaitMemory; readonly verdict: Verdict }

/** Judge one status. Pure: the caller keeps `memory` between statuses and owns the clock. */
export function judge(target: WaitTarget, previous: WaitMemory | null, whole: Status): WaitStep {
  const status = aboutTarget(target, whole)
  const acceptedCommit = status.source?.acceptedCommit ?? ''
  const before = previous ?? { kind: null, acceptedAtStart: acceptedCommit, wasInForce: false }
  const kind = before.kind ?? kindOf(target, status)
  const inForce =
    kind === 'commit' ? isNamed(acceptedCommit, target.name) : kind === 'revision' && anyWants(target, status)
  const memory = { ...before, kind, wasInForce: before.wasInForce || inForce }
  const rejection = status.source?.rejection
  if (rejection !== undefined && isNamed(rejection.commit, target.name)) {
    const message = `commit ${shortHash(rejection.commit)} is rejected: ${rejection.issues[0]?.split('\n')[0] ?? 'no reason given'}`
    return { memory, verdict: { kind: 'ended', exit: exitStatus.error, message } }
  }
  if (inForce) return { memory, verdict: judgeFleets(target, kind === 'commit', status) }
  return { memory, verdict: judgeAbsent(target, memory, status) }
}

/** Of several sources, the one whose commit is waited for, and without the fleets of the others. */
function aboutTarget(target: WaitTarget, status: Status): Status {
  const { sources } = status
  const source = sources.find(({ headCommit, acceptedCommit, rejection }) =>
    [headCommit, acceptedCommit, rejection?.commit ?? ''].some((commit) => isNamed(commit, target.name)),
  )
  if (sources.length < 2 || source === undefined) return status
  const others = new Set(sources.filter((each) => each !== source).map((each) => each.acceptedCommit))
  others.delete(source.acceptedCommit)
  const fleets = status.fleets.filter(({ acceptedCommit }) => !others.has(acceptedCommit))
  return { ...status, source, fleets }
}

function judgeAbsent(target: WaitTarget, memory: WaitMemory, status: Status): Verdict {
  const source = status.source
  const head = source?.headCommit ?? ''
  const accepted = source?.acceptedCommit ?? ''
  const isHead = isNamed(head, target.name)
  const replaced = memory.wasInForce || (target.known && accepted !== memory.acceptedAtStart)
  if (!isHead && replaced && accepted !== '') {
    const by = `superseded by commit ${shortHash(accepted)}, which is in force now`
    return { kind: 'ended', exit: exitStatus.superseded, message: `${shortHash(target.name)} is ${by}` }
  }
  if (source !== undefined && source.error !== '') return { kind: 'waiting', message: source.error }
  if (isHead) return { kind: 'waiting', message: `commit ${shortHash(head)} is seen and not yet in force` }
  return {
    kind: 'waiting',
    message: `${shortHash(target.name)} is not seen yet (head is ${shortHash(head)})`,
  }
}

function judgeFleets(target: WaitTarget, byCommit: boolean, status: Status): Verdict {
  const fleets = status.fleets.filter(
    (fleet) =>
      (target.fleet === null || fleet.name === target.fleet) &&
      (byCommit || isNamed(fleet.revision, target.name)),
  )
  if (target.fleet !== null && fleets.length === 0) {
    const message = `the commit in force declares no fleet ${target.fleet}`
    return { kind: 'ended', exit: exitStatus.error, message }
  }
  const accepted = status.source?.acceptedCommit ?? ''
  const verdicts = fleets.map((fleet) => ({ fleet, exit: judgeFleet(fleet, byCommit ? accepted : '') }))
  const ended = (exit: ExitStatus): Verdict | undefined => {
    const first = verdicts.find((verdict) => verdict.exit === exit)
    return first === undefined ? undefined : { kind: 'ended', exit, message: sentence(first.fleet) }
  }
  const bad = ended(exitStatus.failed) ?? ended(exitStatus.paused)
  if (bad !== undefined) return bad
  const waiting = verdicts.filter(({ exit }) => exit === null)
  if (waiting.length > 0) {
    return { kind: 'waiting', message: waiting.map(({ fleet }) => sentence(fleet)).join(' | ') }
  }
  const names = fleets.map(sentence).join(' | ')
  return {
    kind: 'ended',
    exit: exitStatus.done,
    message: names === '' ? 'the commit declares no fleets' : names,
  }
}

/** Fleet states that decide; any other is still under way. */
const exitOfState: ReadonlyMap<string, ExitStatus> = new Map([
  ['Synced', exitStatus.done],
  ['Empty', exitStatus.done],
  ['RolledBack', exitStatus.failed],
  ['RollbackFailed', exitStatus.failed],
  ['Failed', exitStatus.failed],
  ['Held', exitStatus.failed],
  ['Aborted', exitStatus.failed],
  ['AwaitingApproval', exitStatus.paused],
  ['Halted', exitStatus.paused],
  ['Suspended', exitStatus.paused],
])

/** Null while it is not decided. */
function judgeFleet(fleet: FleetStatus, acceptedCommit: string): ExitStatus | null {
  // The commit is in force and this fleet's line is still about the one before.
  const isOlder = fleet.acceptedCommit !== '' && fleet.acceptedCommit !== acceptedCommit
  if (acceptedCommit !== '' && isOlder) return null
  if (fleet.rollout?.state === 'RollingBack') return null
  if (fleet.state !== 'Paused') return exitOfState.get(fleet.state) ?? null
  const because = fleet.rollout?.pausedFor
  return because === 'Failure' || because === 'Deadline' ? exitStatus.failed : exitStatus.paused
}

function kindOf(target: WaitTarget, status: Status): WaitMemory['kind'] {
  const { source } = status
  const commits = [source?.headCommit, source?.acceptedCommit, source?.rejection?.commit]
  if (target.known || commits.some((commit) => isNamed(commit ?? '', target.name))) return 'commit'
  return anyWants(target, status) ? 'revision' : null
}

function anyWants(target: WaitTarget, status: Status): boolean {
  return status.fleets.some(
    (fleet) => (target.fleet === null || fleet.name === target.fleet) && isNamed(fleet.revision, target.name),
  )
}

function isNamed(hash: string, name: string): boolean {
  return hash !== '' && hash.replace(/^sha256:/, '').startsWith(name)
}

function sentence(fleet: FleetStatus): string {
  const counts = `${fleet.hostsUpdated}/${fleet.hostsTotal} updated`
  return `${fleet.name} ${fleet.state} ${counts}${fleet.message === '' ? '' : `: ${fleet.message}`}`
}
