import { staleSince } from '../../proto/picture/picture.ts'
import { clockWord, spanWord } from '../../proto/picture/words.ts'
import type { Tone } from '../../proto/picture/words.ts'
import { fleetSections } from './fleet-page.ts'
import { fleetsSections } from './fleets-page.ts'
import { helpLines } from './help-page.ts'
import { hostSections } from './host-page.ts'
import { stack, textSection, titleLine, unrolled } from './layout.ts'
import type { Section } from './layout.ts'
import { fitLine, line, lineWidth, span, tailText, wrapText } from './line.ts'
import type { Line, Span } from './line.ts'
import { openPage } from './model.ts'
import type { Model, Place } from './model.ts'
import { rolloutSections } from './rollout-page.ts'

/** The whole screen: `height` lines, none wider than `width`. */
export function drawView(model: Model): readonly Line[] {
  const { width, height } = model.size
  const head = headLines(model)
  const foot = footLines(model)
  const room = Math.max(0, height - head.length - foot.length)
  const read = readLines(model)
  const drawn = read === null ? stack(sectionsOf(model), room) : scrolled(read, scrollOf(model), room, width)
  const isAlive = model.mode.kind === 'help' || staleSince(model) === null
  const body = isAlive ? drawn : drawn.map(faded)
  const filling = Array.from({ length: Math.max(0, room - body.length) }, (): Line => [])
  return [...head, ...body.slice(0, room), ...filling, ...foot]
    .slice(0, height)
    .map((each) => fitLine(each, width))
}

/** How far down one can go in what is read and not chosen from; null where rows are marked instead. */
export function scrollMax(model: Model): number | null {
  const read = readLines(model)
  if (read === null) return null
  const room = model.size.height - headLines(model).length - footLines(model).length
  return lastScroll(read, room)
}

/** All lines of a page on which there is nothing to mark. */
function readLines(model: Model): readonly Line[] | null {
  if (model.mode.kind === 'help') return helpLines()
  return model.status !== null && openPage(model).place.kind === 'host' ? unrolled(sectionsOf(model)) : null
}

function scrollOf(model: Model): number {
  return model.mode.kind === 'help' ? model.mode.scroll : openPage(model).scroll
}

/** One line says where one is, unless all is seen. */
function lastScroll(lines: readonly Line[], room: number): number {
  return lines.length <= room ? 0 : Math.max(0, lines.length - Math.max(0, room - 1))
}

function scrolled(lines: readonly Line[], scroll: number, room: number, width: number): readonly Line[] {
  if (lines.length <= room) return lines
  const first = Math.min(scroll, lastScroll(lines, room))
  const seen = lines.slice(first, first + Math.max(0, room - 1))
  const note = `lines ${first + 1}–${first + seen.length} of ${lines.length}`
  return [...seen, titleLine('↑↓', note, width)]
}

function sectionsOf(model: Model): readonly Section[] {
  if (model.status === null) {
    const why = model.lost === null ? 'waiting for the first status' : model.lost
    return [textSection(wrapText(why, model.size.width - 2, 4).map((text) => line('  ', text)))]
  }
  const { place } = openPage(model)
  switch (place.kind) {
    case 'fleets':
      return fleetsSections(model)
    case 'fleet':
      return fleetSections(model, place)
    case 'rollout':
      return rolloutSections(model, place)
    case 'host':
      return hostSections(model, place)
  }
}

/** Where one is, and how old what is shown is: that is never left out, however narrow it gets. */
function headLines(model: Model): readonly Line[] {
  const { width } = model.size
  const state = connectionSpan(model)
  const where = fitLine(
    line(span('bootfleet', 'strong'), ` › ${placeWords(openPage(model).place, model.address)}`),
    width - 2 - lineWidth([state]),
  )
  const gap = ' '.repeat(Math.max(1, width - lineWidth(where) - lineWidth([state])))
  const since = staleSince(model)
  const first = [...where, { text: gap, tone: null }, state]
  if (since === null) return [first]
  const why = model.lost ?? 'the controller has not said anything'
  return [first, line(span(`✖ what is below is of ${clockWord(since)}: ${why}; trying again`, 'bad'))]
}

function connectionSpan(model: Model): Span {
  const since = staleSince(model)
  if (since !== null) {
    return span(`✖ stale since ${clockWord(since)}, ${spanWord(model.nowMs - since)}`, 'bad')
  }
  if (model.seenAtMs === 0) return span(model.lost === null ? '◌ connecting' : '✖ no connection', 'busy')
  return span(`● connected, as of ${clockWord(model.seenAtMs)}`, 'good')
}

function placeWords(place: Place, address: string): string {
  switch (place.kind) {
    case 'fleets':
      return `fleets of ${address}`
    case 'fleet':
      return place.fleet
    case 'rollout':
      return `${place.fleet} › rollout`
    case 'host':
      return `${place.fleet} › ${place.host}`
  }
}

function footLines(model: Model): readonly Line[] {
  const { width } = model.size
  const { filter } = openPage(model)
  const lines: Line[] = []
  if (model.notice !== null) {
    const { tone, text } = model.notice
    const mark = tone === 'good' ? '✔' : '✖'
    lines.push(...wrapText(`${mark} ${text}`, width, 3).map((part) => line(span(part, tone))))
  }
  if (model.sending !== null)
    lines.push(
      line(span(`◌ ${model.sending.verb} ${model.sending.fleet}: sent, waiting for the answer`, 'busy')),
    )
  const { mode } = model
  if (mode.kind === 'reason') {
    const { verb, fleet, rollout, wave } = mode.order
    const of = wave === '' ? `rollout ${rollout}` : `wave "${wave}" of rollout ${rollout}`
    lines.push(line(span(`${verb} ${fleet} (${of})`, 'strong')))
    lines.push(line(span('reason: ', 'strong'), `${tailText(mode.text, width - 10)}▏`))
    return [...lines, line(span('Enter send   Esc cancel', 'quiet'))]
  }
  if (mode.kind === 'filter' || filter !== '') {
    lines.push(
      line(span('filter: ', 'strong'), `${filter}${mode.kind === 'filter' ? '▏' : '  (Esc takes it back)'}`),
    )
  }
  return [...lines, line(span(hintsOf(model), 'quiet'))]
}

function hintsOf(model: Model): string {
  const { mode, pages, size } = model
  if (mode.kind === 'help') return 'any key: back; ↑↓ PgUp PgDn scroll'
  if (mode.kind === 'filter') return 'Enter keep   Esc take back'
  const back = pages.length > 1 ? 'Esc back  ' : ''
  if (openPage(model).place.kind === 'host') return `↑↓ scroll  ${back}p pause  a approve  ? help  q quit`
  const move = size.width < 80 ? '↑↓ ⏎ ' : '↑↓ move  Enter open  '
  return `${move}${back}/ filter  p pause  a approve  ? help  q quit`
}

/** Nothing of an old picture shall look alive. */
function faded(spans: Line): Line {
  const quiet: Tone = 'quiet'
  return spans.map(({ text }) => ({ text, tone: quiet }))
}
