import type { FleetStatus, HostStatus, RolloutStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Style } from './style.ts'
import { ageWord, bytesWord, imageWord, shortHash, stateWord } from './words.ts'

type Rows = readonly (readonly string[])[]

export function hostTable(hosts: readonly HostStatus[], nowMs: bigint, style: Style): Rows {
  const rows = hosts.map((host) => [
    host.name,
    host.fleet === '' ? '-' : host.fleet,
    imageWord(host.bootedVersion, host.bootedDigest),
    stateWord(host.phase === '' ? 'Pending' : host.phase, style),
    host.health === '' ? '-' : host.health,
    host.connected ? 'connected' : `away ${ageWord(host.lastSeenAtMs, nowMs)}`,
    hostMessage(host),
  ])
  return [['HOST', 'FLEET', 'BOOTED', 'PHASE', 'HEALTH', 'SEEN', 'MESSAGE'], ...rows]
}

export function fleetTable(fleets: readonly FleetStatus[], style: Style): Rows {
  const rows = fleets.map((fleet) => [
    fleet.name,
    shortHash(fleet.revision),
    imageWord(fleet.version, fleet.digest),
    imageWord(fleet.stableVersion, fleet.stableDigest),
    stateWord(fleet.state, style),
    `${fleet.hostsTotal}`,
    fleet.message,
  ])
  return [['FLEET', 'REVISION', 'IMAGE', 'STABLE', 'STATUS', 'HOSTS', 'MESSAGE'], ...rows]
}

export function rolloutTable(rollouts: readonly RolloutStatus[], nowMs: bigint, style: Style): Rows {
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
      rollout.message,
    ]
  })
  return [['ROLLOUT', 'FLEET', 'COMMIT', 'IMAGE', 'STATE', 'UPDATED', 'AGE', 'MESSAGE'], ...rows]
}

function hostMessage(host: HostStatus): string {
  const parts = [...host.conditions]
  if (host.totalBytes > 0n && host.doneBytes < host.totalBytes) {
    parts.push(`${bytesWord(host.doneBytes)} of ${bytesWord(host.totalBytes)}`)
  }
  if (host.message !== '') parts.push(host.message)
  return parts.join('; ')
}
