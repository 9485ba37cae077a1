import type {
  FleetStatus,
  HostInRollout,
  RolloutStatus,
  Status,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { etaWords } from '../../proto/picture/eta.ts'
import { limitWords } from '../../proto/picture/limits.ts'
import { bytesWord, imageWord, shortHash } from '../../proto/picture/words.ts'
import { renderSources, renderSourceTrouble } from './source.ts'
import type { Style } from './style.ts'
import { renderTable } from './table.ts'
import { ageWord, bar, glyphOf, stateWord, timeWord } from './words.ts'

export type StatusView = { readonly style: Style; readonly headers: boolean }

const columns = ['FLEET', 'REVISION', 'IMAGE', 'STATUS', 'UPDATED', 'HEALTHY', 'MESSAGE']

/** One line per fleet, then what a person must know: denied digests, a rejected commit, a source in trouble. */
export function renderStatus(status: Status, { style, headers }: StatusView): string {
  const rows = status.fleets.map((fleet) => fleetRow(fleet, status.observedAtMs, style))
  let text = headers ? renderSources(status, style) : ''
  text += renderTable(headers ? [columns, ...rows] : rows)
  if (rows.length === 0 && headers) text += style('quiet', `no fleets: ${whyNone(status)}\n`)
  for (const fleet of status.fleets)
    text += deniedLines(fleet, style, { prefix: `${fleet.name}: `, only: fleet.digest })
  return withTrouble(text, renderSourceTrouble(status, style))
}

function whyNone({ sources }: Status): string {
  const isUnread = sources.some(({ acceptedCommit }) => acceptedCommit === '')
  return isUnread ? 'no commit is in force yet' : 'the commit in force declares none'
}

/** One fleet with its rollout: waves as bars, then the hosts that need attention first. */
export function renderFleet(status: Status, fleet: FleetStatus, view: StatusView): string {
  const { style } = view
  const row = fleetRow(fleet, status.observedAtMs, style)
  let text = renderTable(view.headers ? [columns, row] : [row])
  const nowMs = Number(status.observedAtMs)
  if (fleet.rollout !== undefined) text += `\n${renderRollout(fleet.rollout, nowMs, style)}`
  if (fleet.limits !== undefined)
    text += limitWords(fleet.limits, nowMs)
      .map((words) => ` ${style('quiet', words)}\n`)
      .join('')
  text += deniedLines(fleet, style, { prefix: '', only: null })
  return withTrouble(text, renderSourceTrouble(status, style))
}

export function renderRollout(rollout: RolloutStatus, nowMs: number, style: Style): string {
  const from = rollout.fromDigest === '' ? '' : `${imageWord(rollout.fromVersion, rollout.fromDigest)} → `
  const ended = rollout.endedAtMs === 0n ? '' : ` · ended ${timeWord(rollout.endedAtMs)}`
  const cause = rollout.pausedFor === '' ? '' : ` (${rollout.pausedFor})`
  let text = `${style('strong', rollout.fleet)} · rollout ${shortHash(rollout.commit)} · ${from}${imageWord(rollout.version, rollout.digest)} · ${stateWord(rollout.state, style)}${cause} · started ${timeWord(rollout.startedAtMs)}${ended}\n`
  if (rollout.message !== '') text += `${rollout.message}\n`
  const eta = etaWords(rollout, nowMs)
  if (eta !== '') text += `${eta}\n`
  const rows = rollout.waves.map((wave) => [
    ` ${wave.name}`,
    `${wave.hostsSucceeded}/${wave.hostsTotal}`,
    bar(wave.hostsSucceeded, wave.hostsTotal),
    stateWord(wave.state, style),
    wave.message,
  ])
  if (rows.length > 0) text += renderTable([[' wave', 'hosts', 'updated', 'state', 'gate'], ...rows])
  return text + attentionLines(rollout.attention, style)
}

/** Under each host that failed, what it saw of its failed boots. */
function attentionLines(hosts: readonly HostInRollout[], style: Style): string {
  if (hosts.length === 0) return ''
  const lines = renderTable(hosts.map((host) => attentionRow(host, style))).split('\n')
  const seen = hosts.map(({ evidence }) => (evidence === '' ? '' : `     ${style('quiet', evidence)}\n`))
  return seen.map((evidence, index) => `${lines[index] ?? ''}\n${evidence}`).join('')
}

function fleetRow(fleet: FleetStatus, nowMs: bigint, style: Style): string[] {
  const age = fleet.rollout === undefined ? '' : ` (${ageWord(fleet.rollout.startedAtMs, nowMs)})`
  return [
    fleet.name,
    `${shortHash(fleet.commit === '' ? fleet.revision : fleet.commit)}${age}`,
    imageWord(fleet.version, fleet.digest),
    stateWord(fleet.state, style),
    `${fleet.hostsUpdated}/${fleet.hostsTotal}`,
    `${fleet.hostsHealthy}/${fleet.hostsTotal}`,
    fleet.message,
  ]
}

function attentionRow(host: HostInRollout, style: Style): string[] {
  const progress =
    host.totalBytes === 0n || host.doneBytes >= host.totalBytes
      ? ''
      : ` (${bytesWord(host.doneBytes)} of ${bytesWord(host.totalBytes)})`
  return [` ${glyphOf(host.phase, style)} ${host.hostName}`, host.phase, `${host.message}${progress}`]
}

/** `only`: at a glance, what matters is a digest that is denied and still wanted. */
function deniedLines(
  fleet: FleetStatus,
  style: Style,
  { prefix, only }: { readonly prefix: string; readonly only: string | null },
): string {
  return fleet.denied
    .filter(({ digest }) => only === null || digest === only)
    .map(({ digest, reason }) => ` ${style('bad', '⊘ denied')} ${prefix}${digest}: ${reason}\n`)
    .join('')
}

function withTrouble(text: string, trouble: string): string {
  return trouble === '' ? text : `${text}\n${trouble}`
}
