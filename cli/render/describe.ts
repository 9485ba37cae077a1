import type {
  FleetStatus,
  HostStatus,
  RolloutStatus,
  Status,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { renderFleet, renderRollout } from './status.ts'
import type { Style } from './style.ts'
import { renderTable } from './table.ts'
import { bytesWord, imageWord, stateWord, timeWord } from './words.ts'

export function describeHost(host: HostStatus, style: Style): string {
  const labels = Object.entries(host.labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  return renderTable([
    ['Name:', host.name],
    ['Host id:', host.hostId],
    ['Architecture:', orDash(host.architecture)],
    ['Labels:', orDash(labels.join(', '))],
    ['Fleet:', orDash(host.fleet)],
    ['Phase:', stateWord(host.phase === '' ? 'Pending' : host.phase, style)],
    ['Booted:', imageWord(host.bootedVersion, host.bootedDigest)],
    ['Digest:', orDash(host.bootedDigest)],
    ['Boot id:', orDash(host.bootId)],
    ['Health:', orDash(host.health)],
    ['Connected:', host.connected ? 'yes' : 'no'],
    ['Last seen:', timeWord(host.lastSeenAtMs)],
    ['Conditions:', orDash(host.conditions.join(', '))],
    ...(host.totalBytes === 0n
      ? []
      : [['Pulled:', `${bytesWord(host.doneBytes)} of ${bytesWord(host.totalBytes)}`]]),
    ...host.deniedDigests.map((digest) => ['Denied:', digest]),
    ['Message:', orDash(host.message)],
  ])
}

export function describeFleet(status: Status, fleet: FleetStatus, style: Style): string {
  const facts = renderTable([
    ['Name:', fleet.name],
    ['Status:', stateWord(fleet.state, style)],
    ['Revision:', orDash(fleet.revision)],
    ['Commit:', orDash(fleet.commit)],
    ['Wanted:', `${fleet.repository}@${fleet.digest}`],
    ['Stable:', orDash(fleet.stableDigest)],
    ['Suspended:', fleet.suspended ? 'yes' : 'no'],
  ])
  return `${facts}\n${renderFleet(status, fleet, { style, headers: true })}`
}

export function describeRollout(rollout: RolloutStatus, style: Style): string {
  const facts = renderTable([
    ['Id:', rollout.id],
    ['Generation:', `${rollout.generation}`],
    ['Revision:', orDash(rollout.revision)],
    ['Commit:', orDash(rollout.commit)],
    ['Image:', `${rollout.repository}@${rollout.digest}`],
    ['From:', orDash(rollout.fromDigest)],
  ])
  return `${facts}\n${renderRollout(rollout, style)}`
}

function orDash(text: string): string {
  return text === '' ? '-' : text
}
