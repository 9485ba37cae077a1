import { isLimit, renderLimit } from './limit-sentences.ts'
import { duration } from './spoken-time.ts'
import type { BlockingReason, HostPhase, PauseCause } from './states.ts'
import type { ResolvedImage } from './wanted.ts'

type MoveReason = Extract<BlockingReason, { kind: 'Drifted(local)' }>

export { duration } from './spoken-time.ts'

/** Enough of a digest to recognise it. */
export function shortDigest(digest: string): string {
  const [algorithm = '', hex] = digest.split(':')
  return hex === undefined ? algorithm.slice(0, 12) : `${algorithm}:${hex.slice(0, 12)}…`
}

export function shortImage(image: ResolvedImage): string {
  return `${image.version === '' ? image.repository : image.version}@${shortDigest(image.digest)}`
}

export function renderPause(cause: PauseCause): string {
  switch (cause.kind) {
    case 'User':
      return `paused by ${cause.actor}${cause.reason === '' ? '' : `: "${cause.reason}"`}`
    case 'Failure':
      return `paused after a failure: ${cause.message}; name another image in git, retry failed hosts, or promote past them`
    case 'Approval':
      return `paused: ${cause.message}; approve it, or resume to ask again`
    case 'Inconclusive':
      return `paused: ${cause.message}; resume to look again, or promote to go on without`
    case 'Unreachable':
      return `paused: ${cause.message}; check the network, then resume`
    case 'Deadline':
      return `paused: ${cause.message}; resume gives it as long again`
  }
}

/** One sentence for an operator: what blocks and, where somebody can, what to do. */
export function renderReason(reason: BlockingReason): string {
  if (isLimit(reason)) return renderLimit(reason)
  switch (reason.kind) {
    case 'ReportOnly':
      return 'it only reports what it runs: its agent has the driver report-only, and is granted nothing'
    case 'NoFleet':
      return 'no fleet selects this host; give it labels that one does'
    case 'MultipleOwners':
      return `fleets ${reason.fleets.join(' and ')} both select this host and neither acts; narrow a selector`
    case 'FleetNotWanted':
      return 'its fleet is not in git now; it keeps what it runs'
    case 'Suspended':
      return 'its fleet is suspended in git'
    case 'NothingToFollow':
      return `its fleet follows ${reason.fleet}, which has not been on an image for long enough`
    case 'Unverified':
      return `nothing is granted: ${reason.message}; it is looked at again with every poll`
    case 'Denied':
      return `${shortDigest(reason.digest)} is denied (${reason.reason}); git must name another digest`
    case 'Halted': {
      const said = reason.reason === '' ? '' : `: "${reason.reason}"`
      const what = reason.fleet === null ? 'every fleet' : `fleet ${reason.fleet}`
      return `${what} was halted by ${reason.actor}${said}; "bootfleet resume ${reason.fleet ?? '--all'}" goes on`
    }
    case 'Held':
      return renderHold(reason)
    case 'Unguarded':
      return 'no automatic fallback: its boot loader cannot count tries, so nothing would lead back from an image that does not boot'
    case 'Drifted(local)':
      return renderMove(reason)
    case 'Pinned':
      return `pinned to ${shortDigest(reason.digest)} in git, and runs it`
    case 'PinNotFound':
      return `pinned to ${shortDigest(reason.digest)}, which its fleet's repository does not have; pin another digest`
    case 'Downgrade':
      return `${reason.to} is older than ${reason.from}; name a newer image, or set downgrade: Allow`
    case 'UnknownVersion':
      return `whether it runs a version below ${reason.below} is not known, and that must go another way first (${reason.reason}); label its image, or pin it`
    case 'Learning':
      return `the store was lost; hosts are asked for what was denied, for another ${duration(reason.inMs)}`
    case 'FirstReports': {
      const hosts = reason.hosts === 1 ? '1 host' : `${reason.hosts} hosts`
      return `its first rollout waits for ${hosts} to report, which may know of denied images, for another ${duration(reason.inMs)} at most`
    }
    case 'RolloutPaused':
      return renderPause(reason.cause)
    case 'WaitsForWave':
      return `waits for wave "${reason.wave}"`
    case 'RolloutAborted':
      return `its rollout was ${renderAbort(reason)}`
    case 'Unreachable':
      return 'not connected; it gets its turn when it reports'
    case 'NoManifestForArchitecture':
      return `the image has no manifest for ${reason.architecture}; push one for it`
    case 'OldRolloutInFlight':
      return `still ends its step of rollout ${reason.rolloutId}`
    case 'Ended':
      return `${phaseWord(reason.phase)}: ${reason.message}`
  }
}

function renderHold({ inMs, reason }: Extract<BlockingReason, { kind: 'Held' }>): string {
  const end = inMs === null ? 'until git says otherwise' : `for another ${duration(inMs)}`
  return `held in git ${end}: ${reason}`
}

function renderMove({ agoMs, command, digest, host, user }: MoveReason): string {
  const what = digest === null ? 'an unknown image' : shortDigest(digest)
  const how = `with container-snap ${command}, ${duration(agoMs)} ago`
  return `${user} made it boot ${what} ${how}; it is left so and granted nothing until "bootfleet resume host/${host}"`
}

/** By whom, and what it takes to go on. */
export function renderAbort({ actor, reason }: { readonly actor: string; readonly reason: string }): string {
  const said = reason === '' ? '' : `: "${reason}"`
  return `aborted by ${actor}${said}; hosts keep what they run; git must name another image, or retry`
}

export function phaseWord(phase: HostPhase): string {
  return phase.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).toLowerCase()
}
