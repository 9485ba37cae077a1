import { lookOf } from '../../proto/picture/words.ts'
import type { Style } from './style.ts'

export function glyphOf(state: string, style: Style): string {
  const { glyph, tone } = lookOf(state)
  return style(tone, glyph)
}

/** Glyph and word, so that no state is told by colour alone. */
export function stateWord(state: string, style: Style): string {
  const { text, tone } = lookOf(state)
  return style(tone, text)
}

/** `2m`, `3h`, `5d`: one unit is enough to judge by. */
export function ageWord(thenMs: bigint, nowMs: bigint): string {
  if (thenMs === 0n) return '-'
  const seconds = Number((nowMs > thenMs ? nowMs - thenMs : 0n) / 1000n)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

export function timeWord(ms: bigint): string {
  return ms === 0n ? '-' : new Date(Number(ms)).toISOString().slice(0, 19) + 'Z'
}

/** Full only when all are done, empty only when none is. */
export function bar(done: number, total: number, cells = 20): string {
  const exact = total === 0 ? 0 : Math.floor((done / total) * cells)
  const full = done > 0 && exact === 0 ? 1 : exact
  return '█'.repeat(full) + '░'.repeat(cells - full)
}
