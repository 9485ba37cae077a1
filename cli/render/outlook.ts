import { formatDuration } from '../../controller/desired-state/duration.ts'
import { duration, renderReason, shortDigest } from '../../controller/rollout/sentences.ts'
import type { RolloutRecord } from '../../controller/rollout/records.ts'
import { argumentWords } from '../offline/argument-change.ts'
import type { Outlook } from '../offline/outlook.ts'
import type { HostForecast } from '../simulator/forecast-recorder.ts'
import { denialSentences } from './denials.ts'
import { renderTable } from './table.ts'

type FleetOutlook = Outlook['fleets'][number]

/** Whether anything would be other than it is. */
export function hasDifferences({ fleets, kernelArguments }: Outlook): boolean {
  return kernelArguments.length > 0 || fleets.some(({ hosts }) => hosts.some(isChanged))
}

/** Gets another image than it has. */
export function isChanged({ fromDigest, stagedAtMs, toDigest }: HostForecast): boolean {
  return stagedAtMs !== null && fromDigest !== toDigest
}

/** Never gets anything, or ends otherwise than well. */
function isExcluded(host: HostForecast): boolean {
  return host.reason !== '' && (host.stagedAtMs === null || host.phase !== 'Succeeded')
}

export function imageWords(outlook: Outlook, digest: string): string {
  const version = outlook.versionOf(digest)
  return version === '' ? shortDigest(digest) : `${version}@${shortDigest(digest)}`
}

/** Its headline, and why nothing begins where what is wanted is denied. */
export function titleLines(outlook: Outlook, fleet: FleetOutlook): readonly string[] {
  return [headline(outlook, fleet), ...denialSentences(fleet.denials)]
}

function headline(
  outlook: Outlook,
  { denials: [denial], hosts, name, rollout, unresolved }: FleetOutlook,
): string {
  const changed = hosts.filter(isChanged).length
  const others = outlook.kernelArguments.filter(({ fleet }) => fleet === name).length
  const besides = others === 0 ? '' : `; kernel arguments change on ${others}`
  if (denial !== undefined) {
    const all = counted(hosts.length)
    const but = changed === 0 ? `nothing changes on ${all}` : `${changed} of ${all} change all the same`
    return `fleet ${name}: ${imageWords(outlook, denial.digest)} is denied, so no rollout begins; ${but}${besides}`
  }
  if (rollout === null || changed === 0) {
    const what = others === 0 ? 'nothing changes' : 'no image changes'
    return `fleet ${name}: ${what} on ${counted(hosts.length)}${besides}`
  }
  const to = unresolved === null ? imageWords(outlook, rollout.image.digest) : `${unresolved} (unresolved)`
  const from = rollout.from === null ? 'nothing proven' : imageWords(outlook, rollout.from.image.digest)
  return `fleet ${name}: ${from} → ${to} on ${changed} of ${counted(hosts.length)}${besides}`
}

export function counted(count: number): string {
  return `${count} ${count === 1 ? 'host' : 'hosts'}`
}

/** Of an instant after the beginning. */
export function whenOf(ms: number | null): string {
  if (ms === null) return 'never'
  return ms < 1000 ? 'at once' : `in ${duration(ms)}`
}

export function waveRows({ rollout, waves }: FleetOutlook): readonly (readonly string[])[] {
  const rows = waves.map((wave, index) => [
    wave.name,
    String(wave.size),
    wave.state === 'Skipped' ? 'skipped' : whenOf(wave.beganAtMs),
    rollout === null ? '' : gateOf(rollout, index),
  ])
  return [['WAVE', 'HOSTS', 'EARLIEST', 'THEN WAITS FOR'], ...rows]
}

/** What stands between this wave and the next. */
function gateOf({ strategy, waves }: RolloutRecord, index: number): string {
  const wave = waves[index]
  if (wave === undefined) return ''
  const gates = [
    wave.soakMs > 0 ? `soak ${formatDuration(wave.soakMs)}` : '',
    strategy.analysis.map(({ name }) => `analysis ${name}`).join(', '),
    wave.approval === null ? '' : 'approval',
  ]
  return gates.filter((gate) => gate !== '').join(', ')
}

export function changeRows(outlook: Outlook, fleet: FleetOutlook): readonly (readonly string[])[] {
  const rows = fleet.hosts
    .filter(isChanged)
    .map((host, index) => [
      String(index + 1),
      host.name,
      fleet.waves[host.wave]?.name ?? '',
      imageWords(outlook, host.fromDigest),
      fleet.unresolved === null ? imageWords(outlook, host.toDigest) : fleet.unresolved,
      whenOf(host.activatedAtMs ?? host.stagedAtMs),
    ])
  return [['#', 'HOST', 'WAVE', 'FROM', 'TO', 'EARLIEST'], ...rows]
}

/** Hosts that get nothing, each with the rule that says so. */
export function excludedRows({ fleets, ownerless }: Outlook): readonly (readonly string[])[] {
  const held = fleets.flatMap(({ denials, hosts, name }) => {
    // Said of the fleet already.
    const said = denials.map((denial) => renderReason({ kind: 'Denied', ...denial }))
    return hosts
      .filter((host) => isExcluded(host) && !said.includes(host.reason))
      .map((host) => [host.name, name, host.reason])
  })
  const without = ownerless.map(({ fleets: owners, name }) => [
    name,
    owners.join(', '),
    owners.length === 0
      ? 'no fleet selects it'
      : `fleets ${owners.join(' and ')} both select it, so neither acts; narrow a selector`,
  ])
  return [...held, ...without]
}

/** In a rollout they come with the image; without one each host boots once more for them, in its turn. */
export function argumentRows({ kernelArguments }: Outlook): readonly (readonly string[])[] {
  const rows = kernelArguments.map((change) => [change.name, change.fleet, argumentWords(change)])
  return rows.length === 0 ? [] : [['HOST', 'FLEET', 'KERNEL ARGUMENTS'], ...rows]
}

export function renderPreview(outlook: Outlook): string {
  const fleets = outlook.fleets.map((fleet) => {
    const title = titleLines(outlook, fleet).join('\n  ')
    if (!fleet.hosts.some(isChanged)) return `${title}\n`
    const waves = fleet.waves.length === 0 ? '' : `\n${renderTable(waveRows(fleet))}`
    return `${title}\n${waves}\n${renderTable(changeRows(outlook, fleet))}`
  })
  const rows = argumentRows(outlook)
  const lines = rows.length === 0 ? [] : [renderTable(rows)]
  const excluded = excludedRows(outlook)
  const table =
    excluded.length === 0 ? [] : [`not changed:\n${renderTable([['HOST', 'FLEET', 'WHY'], ...excluded])}`]
  return [...fleets, ...lines, ...table].join('\n')
}

/** For a pull request: the waves in sight, the hosts behind a fold. */
export function renderMarkdown(outlook: Outlook): string {
  const fleets = outlook.fleets.map((fleet) => {
    const [head = '', ...why] = titleLines(outlook, fleet).map(escaped)
    const title = `### ${head}\n${why.map((line) => `\n${line}\n`).join('')}`
    if (!fleet.hosts.some(isChanged)) return title
    const changes = fold('Hosts, in their order', table(changeRows(outlook, fleet)))
    const waves = fleet.waves.length === 0 ? '' : `\n${table(waveRows(fleet))}`
    return `${title}${waves}\n${changes}`
  })
  const rows = argumentRows(outlook)
  const lines = rows.length === 0 ? [] : [`#### Kernel arguments\n\n${table(rows)}`]
  const excluded = excludedRows(outlook)
  const rest =
    excluded.length === 0 ? [] : [fold('Not changed', table([['HOST', 'FLEET', 'WHY'], ...excluded]))]
  return `${[...fleets, ...lines, ...rest].join('\n')}\nTimes are the earliest possible; hosts need their own on top.\n`
}

function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |\n`
  return `${line(head)}| ${head.map(() => '---').join(' | ')} |\n${rows.map(line).join('')}`
}

function fold(title: string, body: string): string {
  return `<details><summary>${title}</summary>\n\n${body}\n</details>\n`
}

/** Names of hosts and reasons come from others, and must not become markup. */
function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[|\\`*_[\]]/g, '\\$&')
    .replaceAll('\n', ' ')
}
