import type {
  FleetStatus,
  HostStatus,
  RolloutStatus,
  SourceStatus,
  WaveStatus,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { runningWord } from '../../proto/picture/running.ts'
import { hostWords } from '../../proto/picture/sentences.ts'
import { imageWord, shortHash } from '../../proto/picture/words.ts'
import type { Style } from './style.ts'
import { ageWord, stateWord } from './words.ts'

type Rows = readonly (readonly string[])[]

/** `isWide`: with what a person looks for less often. */
export type Looks = { readonly style: Style; readonly isWide: boolean }

export function hostTable(hosts: readonly HostStatus[], nowMs: bigint, { isWide, style }: Looks): Rows {
  const rows = hosts.map((host) => [
    host.name,
    host.fleet === '' ? '-' : host.fleet,
    runningWord(host),
    stateWord(host.phase === '' ? 'Pending' : host.phase, style),
    host.health === '' ? '-' : host.health,
    host.connected ? 'connected' : `away ${ageWord(host.lastSeenAtMs, nowMs)}`,
    ...(isWide ? [host.hostId, orDash(host.architecture), nextWord(host), labelsWord(host)] : []),
    hostWords(host),
  ])
  const wide = isWide ? ['ID', 'ARCH', 'NEXT', 'LABELS'] : []
  return [['HOST', 'FLEET', 'BOOTED', 'PHASE', 'HEALTH', 'SEEN', ...wide, 'MESSAGE'], ...rows]
}

/** What boots next, where that is not what runs. */
function nextWord({ bootedDigest, defaultDigest }: HostStatus): string {
  return defaultDigest === bootedDigest ? '-' : imageWord('', defaultDigest)
}

function labelsWord({ declaredLabels, labels }: HostStatus): string {
  const words = Object.entries({ ...labels, ...declaredLabels }).map(([key, value]) => `${key}=${value}`)
  return orDash(words.toSorted((a, b) => Number(a > b) - Number(a < b)).join(','))
}

function orDash(text: string): string {
  return text === '' ? '-' : text
}

export function fleetTable(fleets: readonly FleetStatus[], { isWide, style }: Looks): Rows {
  const rows = fleets.map((fleet) => [
    fleet.name,
    shortHash(fleet.revision),
    imageWord(fleet.version, fleet.digest),
    imageWord(fleet.stableVersion, fleet.stableDigest),
    stateWord(fleet.state, style),
    `${fleet.hostsTotal}`,
    ...(isWide ? [`${fleet.hostsUpdated}`, `${fleet.hostsHealthy}`, shortHash(fleet.commit)] : []),
    fleet.message,
  ])
  const wide = isWide ? ['UPDATED', 'HEALTHY', 'COMMIT'] : []
  return [['FLEET', 'REVISION', 'IMAGE', 'STABLE', 'STATUS', 'HOSTS', ...wide, 'MESSAGE'], ...rows]
}

export function rolloutTable(
  rollouts: readonly RolloutStatus[],
  nowMs: bigint,
  { isWide, style }: Looks,
): Rows {
  const rows = rollouts.map((rollout) => {
    const hosts = rollout.waves.reduce((sum, wave) => sum + wave.hostsTotal, 0)
    const done = rollout.waves.reduce((sum, wave) => sum + wave.hostsSucceeded, 0)
    return [
      rollout.id,
      rollout.fleet,
      shortHash(rollout.commit),
      imageWord(rollout.version, rollout.digest),
      stateWord(rollout.state, style),
      `${done}/${hosts}`,
      ageWord(rollout.startedAtMs, nowMs),
      ...(isWide ? [imageWord(rollout.fromVersion, rollout.fromDigest), shortHash(rollout.revision)] : []),
      rollout.message,
    ]
  })
  const wide = isWide ? ['FROM', 'REVISION'] : []
  return [['ROLLOUT', 'FLEET', 'COMMIT', 'IMAGE', 'STATE', 'UPDATED', 'AGE', ...wide, 'MESSAGE'], ...rows]
}

/** What is wrong with one, or what its fleets wait for, is the first line of it. */
export function sourceTable(sources: readonly SourceStatus[], nowMs: bigint, style: Style): Rows {
  const rows = sources.map((source) => {
    const { rejection, error, waiting } = source
    const trouble = rejection === undefined ? error : `rejected: ${rejection.issues[0] ?? ''}`
    const state = rejection !== undefined ? 'Rejected' : error !== '' ? 'Failed' : 'Synced'
    return [
      source.name,
      `${source.url} ${source.branch}`.trim(),
      shortHash(source.acceptedCommit),
      stateWord(state, style),
      source.lastPolledAtMs === 0n ? 'never' : ageWord(source.lastPolledAtMs, nowMs),
      (trouble === '' ? (waiting[0] ?? '') : trouble).split('\n')[0] ?? '',
    ]
  })
  return [['SOURCE', 'FROM', 'COMMIT', 'STATE', 'POLLED', 'MESSAGE'], ...rows]
}

/** The waves of current rollouts; the last column is what the gate waits for. */
export function waveTable(
  waves: readonly { readonly rollout: RolloutStatus; readonly wave: WaveStatus }[],
  style: Style,
): Rows {
  const rows = waves.map(({ rollout, wave }) => [
    `${rollout.id}/${wave.name}`,
    stateWord(wave.state, style),
    `${wave.hostsSucceeded}/${wave.hostsTotal}`,
    `${wave.hostsFailed}`,
    `${wave.hostsSkipped}`,
    wave.message,
  ])
  return [['WAVE', 'STATE', 'UPDATED', 'FAILED', 'SKIPPED', 'GATE'], ...rows]
}
