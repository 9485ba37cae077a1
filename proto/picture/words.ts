/** How a state feels; it is always told by glyph and word too. */
export type Tone = 'good' | 'busy' | 'bad' | 'quiet' | 'strong'

export type Look = { readonly glyph: string; readonly text: string; readonly tone: Tone }

const glyphs: Readonly<Record<string, readonly [string, Tone]>> = {
  Synced: ['✔', 'good'],
  Succeeded: ['✔', 'good'],
  Healthy: ['✔', 'good'],
  Done: ['✔', 'good'],
  Refused: ['⊘', 'bad'],
  Progressing: ['◐', 'busy'],
  Running: ['◐', 'busy'],
  Soaking: ['◐', 'busy'],
  Analysing: ['◐', 'busy'],
  WaitingWindow: ['◌', 'busy'],
  AwaitingApproval: ['◇', 'bad'],
  Halted: ['■', 'bad'],
  Aborted: ['✖', 'bad'],
  RollingBack: ['↺', 'busy'],
  Paused: ['‖', 'bad'],
  RolledBack: ['✖', 'bad'],
  RollbackFailed: ['✖', 'bad'],
  Failed: ['✖', 'bad'],
  TimedOut: ['✖', 'bad'],
  Rejected: ['✖', 'bad'],
  Inconclusive: ['?', 'busy'],
  Granted: ['◐', 'busy'],
  Downloading: ['◐', 'busy'],
  Staged: ['◐', 'busy'],
  AwaitingSlot: ['◌', 'busy'],
  Activating: ['◐', 'busy'],
  Rebooting: ['◐', 'busy'],
  Verifying: ['◐', 'busy'],
  Held: ['⊘', 'bad'],
  Suspended: ['‖', 'quiet'],
  Superseded: ['»', 'quiet'],
}

/** Glyph and word of a state, and the tone that they are in. */
export function lookOf(state: string): Look {
  const [glyph, tone] = glyphs[state] ?? ['·', 'quiet']
  return { glyph, text: `${glyph} ${state}`, tone }
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

export function bytesWord(bytes: bigint): string {
  const value = Number(bytes)
  if (value < 1_000) return `${value} B`
  if (value < 1_000_000) return `${(value / 1_000).toFixed(1)} kB`
  if (value < 1_000_000_000) return `${(value / 1_000_000).toFixed(1)} MB`
  return `${(value / 1_000_000_000).toFixed(1)} GB`
}

/** `21:03:04Z`: UTC, as everywhere in this program. */
export function clockWord(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 19)}Z`
}

/** `12s`, `3m05s`, `11h58m`, `3d4h`: two units. */
export function spanWord(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const two = (value: number): string => `${value}`.padStart(2, '0')
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h${two(Math.floor(seconds / 60) % 60)}m`
  return `${Math.floor(seconds / 86_400)}d${Math.floor(seconds / 3_600) % 24}h`
}

/** `2026-09-22 02:13Z`: to the minute, as nobody waits more exactly for what is far away. */
export function instantWord(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')}Z`
}

/** `2026-09-22 02:13Z, in 11h58m`. */
export function untilWord(ms: number, nowMs: number): string {
  return `${instantWord(ms)}, in ${spanWord(ms - nowMs)}`
}
