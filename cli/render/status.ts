import type {
  FleetStatus,
  HostInRollout,
  RolloutStatus,
  Status,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { etaWords } from '../../proto/picture/eta.ts'
import { limitWords } from '../../proto/picture/limits.ts'
import { bytesWord, imageWord, shortHash } from '../../proto/picture/words.ts'
import { foldLine, renderRows } from './fit.ts'
import { renderSources, renderSourceTrouble } from './source.ts'
import type { Style } from './style.ts'
import { ageWord, bar, glyphOf, stateWord, timeWord } from './words.ts'

export type StatusView = {
  readonly style: Style
  readonly headers: boolean
  /** Of the terminal; null: as wide as it gets. */
  readonly columns: number | null
}

const header = ['FLEET', 'REVISION', 'IMAGE', 'STATUS', 'UPDATED', 'HEALTHY', 'MESSAGE']

/** What a narrow terminal shows last. */
const optional = ['HEALTHY', 'REVISION', 'UPDATED']

/** One line per fleet, then what a person must know: denied digests, a rejected commit, a source in trouble. */
export function renderStatus(status: Status, view: StatusView): string {
  const { headers, style } = view
  const rows = status.fleets.map((fleet) => fleetRow(fleet, status.observedAtMs, style))
  let text = headers ? renderSources(status, view) : ''
  if (rows.length > 0) text += fleetLines(rows, view)
  else if (headers) text += style('quiet', `no fleets: ${whyNone(status)}\n`)
  for (const fleet of status.fleets)
    text += deniedLines(fleet, view, { prefix: `${fleet.name}: `, only: fleet.digest, said: fleet.message })
  return withTrouble(text, renderSourceTrouble(status, style))
}

function whyNone({ sources }: Status): string {
  const isUnread = sources.some(({ acceptedCommit }) => acceptedCommit === '')
  return isUnread ? 'no commit is in force yet' : 'the commit in force declares none'
}

/** One fleet with its rollout: waves as bars, then the hosts that need attention first. */
export function renderFleet(status: Status, fleet: FleetStatus, view: StatusView): string {
  const { columns, style } = view
  let text = fleetLines([fleetRow(fleet, status.observedAtMs, style)], view)
  const nowMs = Number(status.observedAtMs)
  if (fleet.rollout !== undefined)
    text += `\n${renderRollout(fleet.rollout, nowMs, { ...view, said: fleet.message })}`
  if (fleet.limits !== undefined)
    text += limitWords(fleet.limits, nowMs)
      .map((words) => foldLine(` ${style('quiet', words)}`, columns))
      .join('')
  text += deniedLines(fleet, view, { prefix: '', only: null, said: fleet.message })
  return withTrouble(text, renderSourceTrouble(status, style))
}

function fleetLines(rows: readonly (readonly string[])[], { columns, headers }: StatusView): string {
  const lines = renderRows([header, ...rows], { columns, optional })
  return (headers ? lines : lines.slice(1)).join('')
}

/** `said`: what stands above it already, and is not said again. */
export function renderRollout(
  rollout: RolloutStatus,
  nowMs: number,
  view: StatusView & { readonly said: string },
): string {
  const { columns, said, style } = view
  const above = `${said}\n${rollout.message}`
  const from = rollout.fromDigest === '' ? '' : `${imageWord(rollout.fromVersion, rollout.fromDigest)} → `
  const ended = rollout.endedAtMs === 0n ? '' : ` · ended ${timeWord(rollout.endedAtMs)}`
  const cause = rollout.pausedFor === '' ? '' : ` (${rollout.pausedFor})`
  const head = `${style('strong', rollout.fleet)} · rollout ${shortHash(rollout.commit)} · ${from}${imageWord(rollout.version, rollout.digest)} · ${stateWord(rollout.state, style)}${cause} · started ${timeWord(rollout.startedAtMs)}${ended}`
  let text = foldLine(head, columns)
  if (!said.includes(rollout.message)) text += foldLine(rollout.message, columns)
  const eta = etaWords(rollout, nowMs)
  if (eta !== '') text += foldLine(eta, columns)
  const rows = rollout.waves.map((wave) => [
    ` ${wave.name}`,
    `${wave.hostsSucceeded}/${wave.hostsTotal}`,
    bar(wave.hostsSucceeded, wave.hostsTotal),
    stateWord(wave.state, style),
    wave.state === 'Failed' ? unlessSaid(wave.message, above) : wave.message,
  ])
  const waves = [[' wave', 'hosts', 'updated', 'state', 'gate'], ...rows]
  if (rows.length > 0) text += renderRows(waves, { columns, optional: ['updated'] }).join('')
  return text + attentionLines(rollout.attention, above, view)
}

/** Under each host that failed, what it saw of its failed boots. */
function attentionLines(
  hosts: readonly HostInRollout[],
  above: string,
  { columns, style }: StatusView,
): string {
  if (hosts.length === 0) return ''
  const rows = hosts.map((host) => attentionRow(host, above, style))
  const lines = renderRows([['', '', ''], ...rows], { columns, optional: [] }).slice(1)
  return hosts
    .map(({ evidence }, index) => {
      const seen = evidence === '' ? '' : foldLine(`     ${style('quiet', evidence)}`, columns)
      return `${lines[index] ?? ''}${seen}`
    })
    .join('')
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

/** The same sentence again helps nobody; that it is the same does. */
function unlessSaid(sentence: string, above: string): string {
  return sentence !== '' && above.includes(sentence) ? 'as above' : sentence
}

/** `rolled back: failed health check web-up (…)`: how it ended, and why. */
function causeUnlessSaid(message: string, above: string): string {
  const [, ending = '', cause = ''] = /^([^:]*): (.*)$/s.exec(message) ?? []
  return cause === '' ? message : `${ending}: ${unlessSaid(cause, above)}`
}

function attentionRow(host: HostInRollout, above: string, style: Style): string[] {
  const progress =
    host.phase !== 'Downloading' || host.totalBytes === 0n || host.doneBytes >= host.totalBytes
      ? ''
      : ` (${bytesWord(host.doneBytes)} of ${bytesWord(host.totalBytes)})`
  const message = causeUnlessSaid(host.message, above)
  return [` ${glyphOf(host.phase, style)} ${host.hostName}`, host.phase, `${message}${progress}`]
}

/** `only`: at a glance, what matters is a digest that is denied and still wanted. */
function deniedLines(
  fleet: FleetStatus,
  { columns, style }: StatusView,
  { prefix, only, said }: { readonly prefix: string; readonly only: string | null; readonly said: string },
): string {
  return fleet.denied
    .filter(({ digest }) => only === null || digest === only)
    .map(({ digest, reason }) =>
      foldLine(` ${style('bad', '⊘ denied')} ${prefix}${digest}: ${unlessSaid(reason, said)}`, columns),
    )
    .join('')
}

function withTrouble(text: string, trouble: string): string {
  return trouble === '' ? text : `${text}\n${trouble}`
}
