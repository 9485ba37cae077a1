import { paintLine } from './line.ts'
import type { Line } from './line.ts'
import type { Style } from '../render/style.ts'

/** Terminals that know it show what stands between these two at once; others pass them over. */
const beginUpdate = '\u001b[?2026h'
const endUpdate = '\u001b[?2026l'
const clearToLineEnd = '\u001b[K'
const clearScreen = '\u001b[2J'
const rowStart = (index: number): string => `\u001b[${index + 1};1H`

export type Drawing = { readonly bytes: string; readonly shown: readonly string[] }

/** Only lines that changed are written. `shown`: what stands on the screen; null: nobody knows. */
export function drawLines(lines: readonly Line[], shown: readonly string[] | null, style: Style): Drawing {
  const painted = lines.map((each) => paintLine(each, style))
  let bytes = shown === null ? clearScreen : ''
  painted.forEach((text, index) => {
    if (shown === null || shown[index] !== text) bytes += `${rowStart(index)}${text}${clearToLineEnd}`
  })
  return { bytes: bytes === '' ? '' : `${beginUpdate}${bytes}${endUpdate}`, shown: painted }
}
