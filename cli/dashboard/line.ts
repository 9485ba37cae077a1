import { cleanText } from '../../proto/picture/clean-text.ts'
import type { Tone } from '../../proto/picture/words.ts'
import type { Style } from '../render/style.ts'
import { widthOf } from '../render/table.ts'

/** Some text in one look; null: as the terminal writes by itself. */
export type Span = { readonly text: string; readonly tone: Tone | null }
export type Line = readonly Span[]

const segmenter = new Intl.Segmenter()

/** Every text goes through here, so that nothing a host or a commit says can move the cursor or hide what follows. */
export function span(text: string, tone: Tone | null = null): Span {
  return { text: cleanText(text), tone }
}

export function line(...parts: readonly (string | Span)[]): Line {
  return parts.map((part) => (typeof part === 'string' ? span(part) : part))
}

export function lineWidth(spans: Line): number {
  return spans.reduce((sum, { text }) => sum + widthOf(text), 0)
}

/** Not wider than `width`; what was cut off is told by an ellipsis. */
export function fitText(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  return width <= 0 ? '' : `${headOf(text, width - 1)}…`
}

function headOf(text: string, width: number): string {
  let head = ''
  let used = 0
  for (const { segment } of segmenter.segment(text)) {
    used += widthOf(segment)
    if (used > width) break
    head += segment
  }
  return head
}

export function fitLine(spans: Line, width: number): Line {
  let room = width
  const fitted: Span[] = []
  for (const { text, tone } of spans) {
    const cut = fitText(text, room)
    if (cut !== '') fitted.push({ text: cut, tone })
    room -= widthOf(cut)
    if (cut !== text) break
  }
  return fitted
}

/** The end of it, where that is what matters. */
export function tailText(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  const segments = [...segmenter.segment(text)].map(({ segment }) => segment)
  let tail = ''
  for (const segment of segments.toReversed()) {
    if (widthOf(segment + tail) > width - 1) break
    tail = segment + tail
  }
  return `…${tail}`
}

export function withoutLast(text: string): string {
  const last = [...segmenter.segment(text)].at(-1)
  return last === undefined ? '' : text.slice(0, last.index)
}

/** At spaces, where there are any; at most `linesMax` lines, the last one cut off. */
export function wrapText(text: string, width: number, linesMax: number): readonly string[] {
  const lines: string[] = []
  let rest = cleanText(text).trim()
  while (rest !== '' && lines.length < linesMax - 1 && widthOf(rest) > width) {
    const head = headOf(rest, width)
    // One letter can be wider than a very narrow line.
    if (head === '') break
    const space = head.lastIndexOf(' ')
    const cut = space > width / 3 ? space : head.length
    lines.push(rest.slice(0, cut))
    rest = rest.slice(cut).trimStart()
  }
  if (rest !== '') lines.push(fitText(rest, width))
  return lines
}

export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

export function paintLine(spans: Line, style: Style): string {
  return spans.map(({ text, tone }) => (tone === null ? text : style(tone, text))).join('')
}
