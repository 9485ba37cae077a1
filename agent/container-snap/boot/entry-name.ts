/**
 * `bootfleet-<hex of the image id>-<N>`, then `.staged`, which the loader does not look at, or what automatic boot
 * assessment makes of a name: `+LEFT-DONE.conf` while it is counted, `.conf` when it is good, LEFT 0 when it is bad.
 */
export type EntryName =
  | { base: string; kind: 'staged' | 'good'; triesLeft: null; triesDone: null }
  | { base: string; kind: 'counted' | 'bad'; triesLeft: number; triesDone: number }

const pattern = /^(bootfleet-[0-9a-f]{12,64}-[1-9][0-9]*)(\.staged|(?:\+([0-9]+)(?:-([0-9]+))?)?\.conf)$/

/** Null for a file that is none of ours. */
export function parseEntryName(file: string): EntryName | null {
  const [, base, ending, left, done] = pattern.exec(file) ?? []
  if (base === undefined) return null
  if (ending === '.staged') return { base, kind: 'staged', triesLeft: null, triesDone: null }
  if (left === undefined) return { base, kind: 'good', triesLeft: null, triesDone: null }
  const triesLeft = Number(left)
  return { base, kind: triesLeft > 0 ? 'counted' : 'bad', triesLeft, triesDone: Number(done ?? 0) }
}

export const hexDigitsMin = 12

export function entryBase(imageId: string, number: number, hexDigits = hexDigitsMin): string {
  return `bootfleet-${imageId.slice(0, hexDigits)}-${number}`
}

export function stagedFile(base: string): string {
  return `${base}.staged`
}

export function goodFile(base: string): string {
  return `${base}.conf`
}

/** Both numbers from the start: a rename that makes a name longer is the riskier one on FAT. */
export function countedFile(base: string, triesLeft: number, triesDone: number): string {
  return `${base}+${triesLeft}-${triesDone}.conf`
}

/** What an unfinished write leaves; no loader looks at it. */
export const unfinishedSuffix = '.tmp'
