import type { Style, Tone } from './style.ts'

const glyphs: Readonly<Record<string, readonly [string, Tone]>> = {
  Synced: ['✔', 'good'],
  Succeeded: ['✔', 'good'],
  Healthy: ['✔', 'good'],
  Progressing: ['◐', 'busy'],
  Running: ['◐', 'busy'],
  Soaking: ['◐', 'busy'],
  RollingBack: ['↺', 'busy'],
  Paused: ['‖', 'bad'],
  RolledBack: ['✖', 'bad'],
  RollbackFailed: ['✖', 'bad'],
  Failed: ['✖', 'bad'],
  TimedOut: ['✖', 'bad'],
  Rejected: ['✖', 'bad'],
  Held: ['⊘', 'bad'],
  Suspended: ['‖', 'quiet'],
  Superseded: ['»', 'quiet'],
}

export function glyphOf(state: string, style: Style): string {
  const [glyph, tone] = glyphs[state] ?? ['·', 'quiet']
  return style(tone, glyph)
}

/** Glyph and word, so that no state is told by colour alone. */
export function stateWord(state: string, style: Style): string {
  const [glyph, tone] = glyphs[state] ?? ['·', 'quiet']
  return style(tone, `${glyph} ${state}`)
}

/** `1.0.0@9c41d0aa7b12`: the version for people, the digest for the truth. */
export function imageWord(version: string, digest: string): string {
  const hex = digest.replace(/^sha256:/, '').slice(0, 12)
  if (hex === '') return version === '' ? '-' : version
  return version === '' ? hex : `${version}@${hex}`
}

export function shortHash(hash: string): string {
  return hash === '' ? '-' : hash.replace(/^sha256:/, '').slice(0, 7)
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

export function bytesWord(bytes: bigint): string {
  const value = Number(bytes)
  if (value < 1_000) return `${value} B`
  if (value < 1_000_000) return `${(value / 1_000).toFixed(1)} kB`
  if (value < 1_000_000_000) return `${(value / 1_000_000).toFixed(1)} MB`
  return `${(value / 1_000_000_000).toFixed(1)} GB`
}

/** Twenty cells; full only when all are done, empty only when none is. */
export function bar(done: number, total: number): string {
  const cells = 20
  const exact = total === 0 ? 0 : Math.floor((done / total) * cells)
  const full = done > 0 && exact === 0 ? 1 : exact
  return '█'.repeat(full) + '░'.repeat(cells - full)
}
