import { hostWords } from '../../controller/rollout/state-words.ts'
import type {
  FleetStatus,
  HostStatus,
  RolloutStatus,
  Status,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { conditionsNamed } from '../../proto/picture/conditions.ts'
import { runningWord, systemFacts } from '../../proto/picture/running.ts'
import { bytesWord } from '../../proto/picture/words.ts'
import { etcFacts } from './etc.ts'
import type { EtcShown } from './etc.ts'
import { renderFacts } from './fit.ts'
import { renderFleet, renderRollout } from './status.ts'
import type { StatusView } from './status.ts'
import { stateWord, timeWord } from './words.ts'

export type HostLooks = StatusView & { readonly etc: EtcShown }

export function describeHost(host: HostStatus, { columns, style, etc }: HostLooks): string {
  const labels = Object.entries(host.labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  const phase = host.phase === '' ? 'Pending' : host.phase
  const facts = [
    ['Name:', host.name],
    ['Host id:', host.hostId],
    ['Architecture:', orDash(host.architecture)],
    ['Labels:', orDash(labels.join(', '))],
    ['Fleet:', orDash(host.fleet)],
    ['Phase:', `${stateWord(phase, style)}${inWords(hostWords, phase)}`],
    ['Booted:', runningWord(host)],
    ...systemFacts(host).map(([name, value]) => [`${name[0]?.toUpperCase()}${name.slice(1)}:`, value]),
    ['Digest:', orDash(host.bootedDigest)],
    ...(host.defaultDigest === '' || host.defaultDigest === host.bootedDigest
      ? []
      : [['Boots next:', host.defaultDigest]]),
    ['Boot id:', orDash(host.bootId)],
    ['Health:', orDash(host.health)],
    ...(host.keysKept === '' ? [] : [['Keys:', keysWord(host.keysKept)]]),
    ['Connected:', host.connected ? 'yes' : 'no'],
    ['Last seen:', timeWord(host.lastSeenAtMs)],
    ['Conditions:', orDash(conditionsNamed(host))],
    ...(host.totalBytes === 0n
      ? []
      : [['Pulled:', `${bytesWord(host.doneBytes)} of ${bytesWord(host.totalBytes)}`]]),
    ...host.deniedDigests.map((digest) => ['Denied:', digest]),
    ...(host.unguarded ? [['Fallback:', 'none by itself: its boot loader counts no tries']] : []),
    ...host.kernelLine.map(({ argument, source }) => ['Kernel argument:', `${argument} (${source})`]),
    ...host.etcConflicts.map((path) => ['/etc conflict:', path]),
    ...etcFacts(host, etc),
    ...(host.refusedPlan === '' ? [] : [['Refused plan:', host.refusedPlan]]),
    ...host.evidence.map((line) => ['Evidence:', line]),
    ['Message:', orDash(host.message)],
  ]
  return renderFacts(facts, columns)
}

export function describeFleet(status: Status, fleet: FleetStatus, view: StatusView): string {
  const facts = [
    ['Name:', fleet.name],
    ['Status:', stateWord(fleet.state, view.style)],
    ['Revision:', orDash(fleet.revision)],
    ['Commit:', orDash(fleet.commit)],
    ['Wanted:', `${fleet.repository}@${fleet.digest}`],
    ['Stable:', orDash(fleet.stableDigest)],
    ['Suspended:', fleet.suspended ? 'yes' : 'no'],
  ]
  return `${renderFacts(facts, view.columns)}\n${renderFleet(status, fleet, view)}`
}

export function describeRollout(rollout: RolloutStatus, nowMs: number, view: StatusView): string {
  const facts = [
    ['Id:', rollout.id],
    ['Generation:', `${rollout.generation}`],
    ['Revision:', orDash(rollout.revision)],
    ['Commit:', orDash(rollout.commit)],
    ['Image:', `${rollout.repository}@${rollout.digest}`],
    ['From:', orDash(rollout.fromDigest)],
  ]
  return `${renderFacts(facts, view.columns)}\n${renderRollout(rollout, nowMs, { ...view, said: '' })}`
}

/** As the host says; its word is all there is. */
function keysWord(kept: string): string {
  if (kept === 'sealed') return 'sealed by its TPM'
  return kept === 'plain' ? 'in plain files, which a copy of the disk holds' : kept
}

/** A controller that is newer may have a state that is not known here. */
function inWords(words: Readonly<Record<string, string>>, state: string): string {
  return Object.hasOwn(words, state) ? ` (${words[state]})` : ''
}

function orDash(text: string): string {
  return text === '' ? '-' : text
}
