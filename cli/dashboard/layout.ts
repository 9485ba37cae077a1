import { widthOf } from '../render/table.ts'
import { fitLine, fitText, line, lineWidth, padded, span } from './line.ts'
import type { Line, Span } from './line.ts'

/** A part of a page. It is given between `least` (or nothing) and `wants` lines. */
export type Section = {
  readonly wants: number
  readonly least: number
  readonly draw: (room: number) => readonly Line[]
}

/** First everyone gets the least, in this order, and then the first ones more. */
export function stack(sections: readonly Section[], height: number): readonly Line[] {
  let free = height
  const rooms = sections.map(({ wants, least }) => {
    const room = Math.min(least, wants) <= free ? Math.min(least, wants) : 0
    free -= room
    return room
  })
  sections.forEach(({ wants }, index) => {
    const room = rooms[index] ?? 0
    const more = room === 0 ? 0 : Math.min(free, wants - room)
    rooms[index] = room + more
    free -= more
  })
  return sections.flatMap(({ draw }, index) => {
    const room = rooms[index] ?? 0
    return room === 0 ? [] : draw(room).slice(0, room)
  })
}

/** Everything, one below the other, for a page that is read and scrolled. */
export function unrolled(sections: readonly Section[]): readonly Line[] {
  return sections.flatMap(({ draw, wants }) => (wants === 0 ? [] : draw(wants)))
}

/** `least`: how much must be seen of it, or all. */
export function textSection(lines: readonly Line[], least = lines.length): Section {
  return {
    wants: lines.length,
    least,
    draw: (room) =>
      lines.length <= room ? lines : [...lines.slice(0, room - 1), line(span('  …', 'quiet'))],
  }
}

/** A column that gives way to the last one where that has too little room, the first of them first. */
export type Lesser = {
  readonly at: number
  /** What it is still worth showing with; null: whole or not at all. */
  readonly least: number | null
}

export type List = {
  readonly title: string
  /** Told beside the title. */
  readonly note?: string
  readonly columns: readonly string[]
  readonly lesser?: readonly Lesser[]
  readonly count: number
  readonly row: (index: number) => readonly Span[]
  /** Index of the row that keys act on; null where they act on none here. */
  readonly selected: number | null
  readonly width: number
  /** Written when there is no row. */
  readonly empty: string
}

/** Only rows that are seen are made: a fleet has thousands of hosts. */
export function listSection(list: List, least: number): Section {
  const heads = list.columns.length === 0 || list.count === 0 ? 1 : 2
  return {
    wants: heads + Math.max(1, list.count),
    least: Math.min(least, heads + Math.max(1, list.count)),
    draw: (room) => drawList(list, room - heads),
  }
}

function drawList(list: List, room: number): readonly Line[] {
  const { count, selected, width, columns, lesser = [] } = list
  const first = Math.max(0, Math.min((selected ?? 0) - Math.floor(room / 2), count - room))
  const last = Math.min(count, first + room)
  const range = count > room && room > 0 ? `${first + 1}–${last} of ${count}` : ''
  const note = [range, list.note ?? ''].filter((part) => part !== '').join(' · ')
  const title = titleLine(list.title, note, width)
  if (count === 0) return [title, line(span(`  ${list.empty}`, 'quiet'))]
  const rows: (readonly Span[])[] = []
  if (columns.length > 0) rows.push(columns.map((name, at) => span(at === 0 ? `  ${name}` : name, 'quiet')))
  for (let index = first; index < last; index += 1) {
    const [head = span(''), ...cells] = list.row(index)
    const mark = index === selected ? '▸ ' : '  '
    rows.push([{ ...head, text: `${mark}${head.text}` }, ...cells])
  }
  return [title, ...tableLines(rows, width, lesser)]
}

export function titleLine(title: string, note: string, width: number): Line {
  const head = fitLine(
    line('── ', span(title, 'strong'), note === '' ? ' ' : span(` · ${note} `, 'quiet')),
    width,
  )
  return [...head, span('─'.repeat(Math.max(0, width - lineWidth(head))), 'quiet')]
}

/** Columns as wide as their widest cell, but none may take more than a third; the last one takes what is left. */
export function tableLines(
  rows: readonly (readonly Span[])[],
  width: number,
  lesser: readonly Lesser[] = [],
): readonly Line[] {
  const widths = givingWay(rows, width, lesser)
  return rows.map((row) => {
    const cells = row.flatMap(({ text, tone }, at): Span[] => {
      if (at === row.length - 1) return [{ text, tone }]
      const room = widths[at] ?? 0
      return room === 0 ? [] : [{ text: `${padded(fitText(text, room), room)}  `, tone }]
    })
    return fitLine(cells, width)
  })
}

/** What is left for the last cell. */
export function lastCellRoom(
  rows: readonly (readonly Span[])[],
  width: number,
  lesser: readonly Lesser[] = [],
): number {
  return roomBeside(givingWay(rows, width, lesser), width)
}

function roomBeside(widths: readonly number[], width: number): number {
  return widths.reduce((room, taken) => (taken === 0 ? room : room - taken - 2), width)
}

/** First lesser columns are shortened until the last one has half of the line, then left out while it has not two fifths. */
function givingWay(
  rows: readonly (readonly Span[])[],
  width: number,
  lesser: readonly Lesser[],
): readonly number[] {
  const widths = [...columnWidths(rows, width)]
  if (lesser.length === 0) return widths
  const wants = Math.max(0, ...rows.map((row) => widthOf(row.at(-1)?.text ?? '')))
  const lacks = (share: number): number =>
    Math.min(wants, Math.floor(width * share)) - roomBeside(widths, width)
  for (const { at, least } of lesser) {
    const taken = widths[at] ?? 0
    if (least !== null && lacks(0.5) > 0) widths[at] = Math.min(taken, Math.max(least, taken - lacks(0.5)))
  }
  for (const { at } of lesser) if (lacks(0.4) > 0) widths[at] = 0
  return widths
}

function columnWidths(rows: readonly (readonly Span[])[], width: number): readonly number[] {
  const cellMax = Math.max(8, Math.floor(width / 3))
  const widths: number[] = []
  for (const row of rows) {
    row.slice(0, -1).forEach(({ text }, at) => {
      widths[at] = Math.max(widths[at] ?? 0, Math.min(cellMax, widthOf(text)))
    })
  }
  return widths
}
