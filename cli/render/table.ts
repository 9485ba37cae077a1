import stringWidth from 'string-width'

type Rows = readonly (readonly string[])[]

export const GAP = '  '

/** Columns as wide as their widest cell, two spaces between them, nothing after the last. */
export function renderTable(rows: Rows): string {
  return linesOf(rows)
    .map((line) => `${line}\n`)
    .join('')
}

export function linesOf(rows: Rows): readonly string[] {
  const widths = widthsOf(rows)
  return rows.map((row) =>
    row
      .map((cell, index) => padEnd(cell, widths[index] ?? 0))
      .join(GAP)
      .trimEnd(),
  )
}

export function widthsOf(rows: Rows): readonly number[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, widthOf(cell))
    })
  }
  return widths
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

/** Most text is plain, and a list has many cells. */
export function widthOf(text: string): number {
  return /^[\u0020-\u007e]*$/.test(text) ? text.length : stringWidth(text)
}
