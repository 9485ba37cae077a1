import type {
  FleetStatus,
  HostInRollout,
  RolloutStatus,
  WaveStatus,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { etaWords } from '../../proto/picture/eta.ts'
import { limitWords } from '../../proto/picture/limits.ts'
import { attentionWords, byWords, changeWords, imagesWords, ordersOf } from '../../proto/picture/sentences.ts'
import { clockWord, lookOf, shortHash } from '../../proto/picture/words.ts'
import { bar } from '../render/words.ts'
import { eventsSection } from './events.ts'
import { listSection, textSection, titleLine } from './layout.ts'
import type { Section } from './layout.ts'
import { line, span, wrapText } from './line.ts'
import type { Line, Span } from './line.ts'
import { fleetNamed, openPage } from './model.ts'
import type { Model, Place } from './model.ts'
import { rowsOf, selectedIndex } from './rows.ts'
import type { Row } from './rows.ts'

export function fleetSections(
  model: Model,
  { fleet: name }: Extract<Place, { kind: 'fleet' }>,
): readonly Section[] {
  const fleet = fleetNamed(model, name)
  if (fleet === null) return [noFleet(name)]
  const { rollout } = fleet
  const { width } = model.size
  return [
    textSection(fleetHead(fleet, model)),
    ...(rollout === undefined ? [] : [wavesSection(rollout, width), openSection(model)]),
    limitsSection(fleet, model),
    ordersSection(fleet, width),
    eventsSection(model),
  ]
}

export function noFleet(name: string): Section {
  return textSection([line(span(`no fleet ${name} that you may see; Esc lists all`, 'bad'))])
}

/** Verdict, counts, the sentence that says why, and what keeps it from going on. */
function fleetHead(fleet: FleetStatus, { nowMs, size }: Model): readonly Line[] {
  const { width } = size
  const look = lookOf(fleet.state)
  const counts = ` · ${fleet.hostsUpdated}/${fleet.hostsTotal} updated · ${fleet.hostsHealthy}/${fleet.hostsTotal} healthy`
  const denied = fleet.denied.filter(({ digest }) => digest === fleet.digest)
  return [
    line(span(fleet.name, 'strong'), '  ', span(look.text, look.tone), counts),
    ...wrapText(fleet.message, width - 2, 3).map((text) => line('  ', text)),
    ...(fleet.rollout === undefined ? [] : etaLines(fleet.rollout, { nowMs, size })),
    line(span(`  ${imagesWords(fleet)}`, 'quiet')),
    ...(fleet.halted === undefined ? [] : [line(span(`■ halted ${byWords(fleet.halted)}`, 'bad'))]),
    ...denied.map(({ reason }) => line(span(`⊘ the wanted digest is denied: ${reason}`, 'bad'))),
  ]
}

export function etaLines(
  rollout: RolloutStatus,
  { nowMs, size }: Pick<Model, 'nowMs' | 'size'>,
): readonly Line[] {
  return wrapText(etaWords(rollout, nowMs), size.width - 2, 2).map((text) => line('  ', text))
}

/** What is used of each limit, and when windows and freezes turn. */
export function limitsSection({ limits }: FleetStatus, { nowMs, size }: Model): Section {
  if (limits === undefined) return textSection([])
  const words = limitWords(limits, nowMs).flatMap((text) => wrapText(text, size.width - 2, 2))
  const lines = words.map((text) => line('  ', text))
  return textSection([titleLine('budgets, windows and freezes', '', size.width), ...lines], 3)
}

export function wavesSection({ waves }: RolloutStatus, width: number): Section {
  const list = {
    title: 'waves',
    columns: ['WAVE', 'HOSTS', '', 'STATE', 'GATE'],
    count: waves.length,
    row: (index: number) => waveCells(waves[index], width),
    // The wave that the rollout is at must be seen also when there are many.
    selected: null,
    width,
    empty: 'none',
  }
  return listSection(list, Math.min(waves.length + 2, 6))
}

export function waveCells(wave: WaveStatus | undefined, width: number): readonly Span[] {
  if (wave === undefined) return []
  const look = lookOf(wave.state)
  const failed = wave.hostsFailed === 0 ? '' : ` ✖${wave.hostsFailed}`
  return [
    span(wave.name),
    span(`${wave.hostsSucceeded}/${wave.hostsTotal}${failed}`, failed === '' ? null : 'bad'),
    span(bar(wave.hostsSucceeded, wave.hostsTotal, barCells(width)), look.tone),
    span(look.text, look.tone),
    span(wave.message),
  ]
}

/** What comes behind it tells more than a longer bar does. */
function barCells(width: number): number {
  if (width < 70) return 5
  return width < 90 ? 10 : 20
}

/** The rollout and the hosts that need attention: what can be opened from here. */
function openSection(model: Model): Section {
  const rows = rowsOf(model)
  const list = {
    title: 'rollout, and hosts that need attention first',
    columns: [],
    count: rows.length,
    row: (index: number) => openCells(rows[index]),
    selected: selectedIndex(openPage(model), rows),
    width: model.size.width,
    empty: 'none has these letters',
  }
  return listSection(list, Math.max(4, Math.floor(model.size.height / 4)))
}

function openCells(row: Row | undefined): readonly Span[] {
  if (row?.kind === 'attention') return attentionCells(row.host)
  if (row?.kind !== 'rollout' || row.fleet.rollout === undefined) return []
  return rolloutCells(row.fleet.rollout)
}

function rolloutCells(rollout: RolloutStatus): readonly Span[] {
  const look = lookOf(rollout.state)
  const cause = rollout.pausedFor === '' ? '' : ` (${rollout.pausedFor})`
  return [
    span(`rollout ${shortHash(rollout.commit)}`, 'strong'),
    span(`${look.text}${cause}`, look.tone),
    span(changeWords(rollout)),
  ]
}

export function attentionCells(host: HostInRollout): readonly Span[] {
  const look = lookOf(host.phase)
  return [span(host.hostName, 'strong'), span(look.text, look.tone), span(attentionWords(host))]
}

/** What people ordered, newest first. */
export function ordersSection(fleet: FleetStatus, width: number): Section {
  const records = ordersOf(fleet)
  if (records.length === 0) return textSection([])
  const list = {
    title: 'orders',
    columns: [],
    count: records.length,
    row: (index: number) => {
      const record = records[index]
      if (record === undefined) return []
      return [span(clockWord(Number(record.atMs)), 'quiet'), span(record.verb), span(byWords(record))]
    },
    selected: null,
    width,
    empty: '',
  }
  return listSection(list, 2)
}
