import type { FleetStatus, Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { sourcesOf, troubleWords } from '../../proto/picture/sentences.ts'
import { imageWord, lookOf } from '../../proto/picture/words.ts'
import { widthOf } from '../render/table.ts'
import { eventsSection } from './events.ts'
import { attentionCells } from './fleet-page.ts'
import { lastCellRoom, listSection, textSection } from './layout.ts'
import type { Section } from './layout.ts'
import { line, span, wrapText } from './line.ts'
import type { Line, Span } from './line.ts'
import { openPage } from './model.ts'
import type { Model } from './model.ts'
import { rowsOf, selectedIndex } from './rows.ts'

/** From here on there is room for the image beside the message. */
const WIDE = 100
/** HEALTHY, where it is narrow. */
const lesser = [{ at: 3, least: null }] as const

export function fleetsSections(model: Model): readonly Section[] {
  const { status, size } = model
  if (status === null) return []
  const { width } = size
  const rows = rowsOf(model)
  const fleets = rows.flatMap((row) => (row.kind === 'fleet' ? [row.fleet] : []))
  const selected = selectedIndex(openPage(model), rows)
  const marked = fleets[selected]
  const isWide = width >= WIDE
  // As many as a screen may hold are enough to judge by.
  const near = fleets
    .slice(Math.max(0, selected - 50), selected + 50)
    .map((fleet) => fleetCells(fleet, isWide))
  const room = lastCellRoom([columns(isWide).map((name) => span(name)), ...near], width - 2, lesser)
  const list = listSection(
    {
      title: 'fleets',
      note: `${status.fleets.reduce((sum, fleet) => sum + fleet.hostsTotal, 0)} hosts`,
      columns: columns(isWide),
      lesser,
      count: fleets.length,
      row: (index) => fleetCells(fleets[index], isWide),
      selected,
      width,
      empty: status.fleets.length === 0 ? 'the commit in force declares none' : 'none has these letters',
    },
    Math.min(8, size.height / 3),
  )
  const attention = attentionOf(status.fleets)
  return [
    troubleSection(status, width),
    list,
    ...(marked === undefined ? [] : [messageSection(marked, room, width)]),
    ...(attention.length === 0 ? [] : [attentionSection(attention, width)]),
    eventsSection(model),
  ]
}

function columns(isWide: boolean): readonly string[] {
  return ['FLEET', 'STATUS', 'UPDATED', 'HEALTHY', ...(isWide ? ['IMAGE'] : []), 'MESSAGE']
}

function fleetCells(fleet: FleetStatus | undefined, isWide: boolean): readonly Span[] {
  if (fleet === undefined) return []
  const { text, tone } = lookOf(fleet.state)
  return [
    span(fleet.name, 'strong'),
    span(text, tone),
    span(`${fleet.hostsUpdated}/${fleet.hostsTotal}`),
    span(`${fleet.hostsHealthy}/${fleet.hostsTotal}`),
    ...(isWide ? [span(imageWord(fleet.version, fleet.digest))] : []),
    span(fleet.message),
  ]
}

/** The message of the marked fleet in full, where its row has no room for it. */
function messageSection(fleet: FleetStatus, room: number, width: number): Section {
  if (widthOf(fleet.message) <= room) return textSection([])
  const lines = wrapText(`${fleet.name}: ${fleet.message}`, width - 4, 3)
  return textSection(lines.map((text) => line('    ', text)))
}

type Troubled = { readonly fleet: FleetStatus; readonly host: FleetAttention }
type FleetAttention = NonNullable<FleetStatus['rollout']>['attention'][number]

function attentionOf(fleets: readonly FleetStatus[]): readonly Troubled[] {
  return fleets.flatMap((fleet) => (fleet.rollout?.attention ?? []).map((host) => ({ fleet, host })))
}

function attentionSection(attention: readonly Troubled[], width: number): Section {
  const list = {
    title: 'hosts that need attention first',
    columns: [],
    count: attention.length,
    row: (index: number) => {
      const found = attention[index]
      if (found === undefined) return []
      const [name = span(''), ...rest] = attentionCells(found.host)
      return [name, span(found.fleet.name, 'quiet'), ...rest]
    },
    selected: null,
    width,
    empty: '',
  }
  return listSection(list, 4)
}

function troubleSection(status: Status, width: number): Section {
  const lines = sourcesOf(status).flatMap((source): Line[] => [
    ...troubleWords(source).flatMap((text) =>
      wrapText(`✖ ${text}`, width, 2).map((part) => line(span(part, 'bad'))),
    ),
    ...source.waiting.map((text) => line(span(`◎ ${text}`, 'quiet'))),
  ])
  return textSection(lines, Math.min(lines.length, 3))
}
