import type { BlockingReason, HostPhase, PauseCause } from './states.ts'
import type { ResolvedImage } from './types.ts'

/** Enough of a digest to recognise it. */
export function shortDigest(digest: string): string {
  const [algorithm = '', hex] = digest.split(':')
  return hex === undefined ? algorithm.slice(0, 12) : `${algorithm}:${hex.slice(0, 12)}…`
}

export function shortImage(image: ResolvedImage): string {
  return `${image.version === '' ? image.repository : image.version}@${shortDigest(image.digest)}`
}

/** The two largest units, as people say it: 11h58m, 3m0s, 42s. */
export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const
  const first = units.findIndex(([count]) => count > 0)
  if (first === -1) return '0s'
  return units
    .slice(first, first + 2)
    .map(([count, unit]) => `${count}${unit}`)
    .join('')
}

export function renderPause(cause: PauseCause): string {
  switch (cause.kind) {
    case 'User':
      return `paused by ${cause.actor}${cause.reason === '' ? '' : `: "${cause.reason}"`}`
    case 'Failure':
      return `paused after a failure: ${cause.message}; fix it in git, or resume`
    case 'Unreachable':
      return `paused: ${cause.message}; check the network, then resume`
    case 'Deadline':
      return `paused: ${cause.message}; resume gives it as long again`
  }
}

/** One sentence for an operator: what blocks and, where somebody can, what to do. */
export function renderReason(reason: BlockingReason): string {
  switch (reason.kind) {
    case 'NoFleet':
      return 'no fleet selects this host; give it labels that one does'
    case 'MultipleOwners':
      return `fleets ${reason.fleets.join(' and ')} both select this host and neither acts; narrow a selector`
    case 'FleetNotWanted':
      return 'its fleet is not in git now; it keeps what it runs'
    case 'Suspended':
      return 'its fleet is suspended in git'
    case 'Denied':
      return `${shortDigest(reason.digest)} is denied (${reason.reason}); git must name another digest`
    case 'RolloutPaused':
      return renderPause(reason.cause)
    case 'WaitsForWave':
      return `waits for wave "${reason.wave}"`
    case 'DownloadSlots':
      return `waits for its download: ${reason.downloading} of at most ${reason.allowed} hosts are downloading`
    case 'MaxUnavailable':
      return `staged; waits for a slot: ${reason.unavailable} of at most ${reason.allowed} hosts are restarting`
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

export function phaseWord(phase: HostPhase): string {
  return phase.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).toLowerCase()
}
