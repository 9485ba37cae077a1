const linesBefore = 2
const linesAfter = 1
const maxWidth = 120

/** The lines around a position, with a caret under it; without colour, safe to print on a terminal. */
export function codeFrame(text: string, line: number, column: number): string {
  const lines = text.split(/\r\n|\n|\r/)
  const first = Math.max(1, line - linesBefore)
  const last = Math.min(lines.length, line + linesAfter)
  const gutter = String(last).length
  const clipped = Math.max(0, column - Math.floor(maxWidth / 2))
  const frame: string[] = []
  for (const [index, content] of lines.slice(first - 1, last).entries()) {
    const number = first + index
    const shown = printable(content.slice(clipped, clipped + maxWidth))
    const marker = number === line ? '>' : ' '
    frame.push(`${marker} ${String(number).padStart(gutter)} | ${shown}`.trimEnd())
    if (number === line) frame.push(`  ${' '.repeat(gutter)} | ${' '.repeat(column - 1 - clipped)}^`)
  }
  return frame.join('\n')
}

/** Control and bidirectional characters of a hostile file must not reach a terminal; a tab becomes one space. */
export function printable(text: string): string {
  return text
    .replaceAll('\t', ' ')
    .replaceAll(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '?')
}
