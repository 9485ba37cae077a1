import type { HostStatus, RolloutStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { runningWord } from '../../proto/picture/running.ts'
import { changeWords, gateWords, hostWords } from '../../proto/picture/sentences.ts'
import { clockWord, lookOf, shortHash } from '../../proto/picture/words.ts'
import { etaLines, limitsSection, noFleet, ordersSection, waveCells } from './fleet-page.ts'
import { listSection, tableLines, textSection, titleLine } from './layout.ts'
import type { Section } from './layout.ts'
import { line, span, wrapText } from './line.ts'
import type { Line, Span } from './line.ts'
import { fleetNamed, openPage } from './model.ts'
import type { Model, Place } from './model.ts'
import { rowsOf, selectedIndex } from './rows.ts'

export function rolloutSections(
  model: Model,
  { fleet: name }: Extract<Place, { kind: 'rollout' }>,
): readonly Section[] {
  const fleet = fleetNamed(model, name)
  if (fleet?.rollout === undefined) return [noFleet(name)]
  const { width, height } = model.size
  const head = rolloutHead(fleet.rollout, model)
  const gates = gateLines(fleet.rollout, model)
  return [
    textSection(head),
    textSection(gates, Math.min(gates.length, Math.max(4, Math.floor(height / 3)))),
    hostsSection(model),
    limitsSection(fleet, model),
    ordersSection(fleet, width),
  ]
}

function rolloutHead(rollout: RolloutStatus, model: Model): readonly Line[] {
  const look = lookOf(rollout.state)
  const cause = rollout.pausedFor === '' ? '' : ` (${rollout.pausedFor})`
  return [
    line(
      span(`rollout ${shortHash(rollout.commit)}`, 'strong'),
      '  ',
      span(`${look.text}${cause}`, look.tone),
      ` · ${changeWords(rollout)}`,
    ),
    ...wrapText(rollout.message, model.size.width - 2, 2).map((text) => line('  ', text)),
    ...etaLines(rollout, model),
  ]
}

/** Each wave, and under it what its gate still asks. */
function gateLines({ waves }: RolloutStatus, model: Model): readonly Line[] {
  const { width } = model.size
  const table = tableLines(
    waves.map((wave) => waveCells(wave, width)),
    width - 2,
  )
  const rows = waves.flatMap((wave, index) => [
    [span('  '), ...(table[index] ?? [])],
    ...gateWords(wave, model.nowMs).map((text) => line('      ', span(text, 'quiet'))),
  ])
  return [titleLine('waves', '', width), ...rows]
}

function hostsSection(model: Model): Section {
  const { value, failure, answeredAtMs } = model.slots.hosts
  const rows = rowsOf(model)
  const asOf = answeredAtMs === 0 ? '' : `as of ${clockWord(answeredAtMs)}`
  const list = {
    title: 'hosts, worst first',
    note: failure === '' ? asOf : `${asOf} (${failure})`,
    columns: ['HOST', 'PHASE', 'BOOTED', 'MESSAGE'],
    // The version stands in front.
    lesser: [{ at: 2, least: 8 }],
    count: rows.length,
    row: (index: number) => {
      const row = rows[index]
      return row?.kind === 'host' ? hostCells(row.host) : []
    },
    selected: selectedIndex(openPage(model), rows),
    width: model.size.width,
    empty: failure !== '' ? `not known: ${failure}` : value === null ? 'asking' : 'none',
  }
  return listSection(list, Math.max(4, Math.floor(model.size.height / 3)))
}

function hostCells(host: HostStatus): readonly Span[] {
  const look = lookOf(host.phase === '' ? 'Pending' : host.phase)
  return [
    span(host.name, 'strong'),
    span(look.text, look.tone),
    span(runningWord(host)),
    span(hostWords(host)),
  ]
}
