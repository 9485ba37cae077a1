import stringWidth from 'string-width'
import { GAP, linesOf, padEnd, renderTable, widthsOf } from './table.ts'

type Rows = readonly (readonly string[])[]

export type Fit = {
  /** Of the terminal; null: as wide as it gets. */
  readonly columns: number | null
  /** Headers of columns that may be left out, the first of them first. */
  readonly optional: readonly string[]
  /** A sentence that goes on in lines of its own, unless it is a cell as the others are. */
  readonly last?: 'cell'
}

const INDENT = '    '

/**
 * One text per row, the header's first. What does not fit loses its last column to lines of its own, and then columns
 * that may be left out; what is written is never cut.
 */
export function renderRows(rows: Rows, { columns, last, optional }: Fit): readonly string[] {
  if (columns === null || fits(rows, columns)) return linesOf(rows).map((line) => `${line}\n`)
  if (last === 'cell') {
    const fewer = withoutColumns(rows, { columns, optional })
    if (fits(fewer, columns)) return linesOf(fewer).map((line) => `${line}\n`)
  }
  const messages = rows.map((row) => row.at(-1) ?? '')
  const rest = withoutColumns(
    rows.map((row) => row.slice(0, -1)),
    { columns, optional },
  )
  return linesOf(rest).map((line, index) => {
    const message = index === 0 ? '' : (messages[index] ?? '')
    return [line, ...wrapped(message, columns - INDENT.length).map((part) => `${INDENT}${part}`)]
      .map((each) => `${each}\n`)
      .join('')
  })
}

/** Whether no line of it is wider than the terminal. */
export function fits(rows: Rows, columns: number): boolean {
  return widthOf(rows) <= columns
}

/** Name and value, one below the other; a value that does not fit goes on below itself. */
export function renderFacts(facts: Rows, columns: number | null): string {
  if (columns === null || widthOf(facts) <= columns) return renderTable(facts)
  const indent = (widthsOf(facts)[0] ?? 0) + GAP.length
  return facts
    .map(([name = '', value = '']) => {
      const [first = '', ...more] = wrapped(value, columns - indent)
      const below = more.map((part) => `${' '.repeat(indent)}${part}\n`)
      return `${padEnd(name, indent)}${first}\n${below.join('')}`
    })
    .join('')
}

/** A sentence that does not fit goes on in the next line, further in than it begins. */
export function foldLine(line: string, columns: number | null): string {
  if (columns === null || stringWidth(line) <= columns) return `${line}\n`
  const begin = /^ */.exec(line)?.[0] ?? ''
  const room = columns - begin.length - INDENT.length
  return wrapped(line, room)
    .map((part, index) => `${begin}${index === 0 ? '' : INDENT}${part}\n`)
    .join('')
}

function withoutColumns(
  rows: Rows,
  { columns, optional }: { columns: number; optional: Fit['optional'] },
): Rows {
  let left = rows
  for (const name of optional) {
    if (widthOf(left) <= columns) break
    const index = left[0]?.indexOf(name) ?? -1
    if (index !== -1) left = left.map((row) => row.filter((_, each) => each !== index))
  }
  return left
}

function widthOf(rows: Rows): number {
  const widths = widthsOf(rows)
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, widths.length - 1)
}

/** At spaces; a word that is longer than a line keeps it to itself. */
function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ').filter((each) => each !== '')) {
    const last = lines.at(-1)
    const isRoom = last !== undefined && stringWidth(last) + 1 + stringWidth(word) <= width
    if (isRoom) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
