import { createHash } from 'node:crypto'
import type { GrubEntry } from './grub-entry.ts'
import { renderScript } from './grub-script.ts'

/** A deployment has at most one that is staged and one that was activated. */
export type GrubEntries = { entries: readonly GrubEntry[]; torn: boolean }

export const noEntries: GrubEntries = { entries: [], torn: false }

const heading = [
  '# Written by container-snap, which replaces this file: changes are lost.',
  '# custom.cfg in the folder of grub.cfg sets bootfleet_boot and reads this file.',
]
const mark = '#: '
const ending = /^# end ([0-9a-f]{64})\n$/

/**
 * Each entry stands in it twice: as a comment that is read back here, and as what GRUB does. Its last line tells
 * whether it is whole.
 */
export function renderEntries(entries: readonly GrubEntry[]): string {
  const comments = entries.map((entry) => `${mark}${JSON.stringify(entry)}`)
  const text = `${[...heading, ...comments, ...renderScript(entries)].join('\n')}\n`
  return `${text}# end ${hashOf(text)}\n`
}

/** Of a torn file what is still legible of it. */
export function parseEntries(text: string): GrubEntries {
  const end = text.lastIndexOf('\n', text.length - 2) + 1
  const hash = ending.exec(text.slice(end))?.[1]
  const lines = text.split('\n').filter((line) => line.startsWith(mark))
  const parsed = lines.map((line) => parseComment(line.slice(mark.length)))
  const found = parsed.filter((entry) => entry !== null)
  const byId = new Map(found.map((entry) => [slotOf(entry), entry]))
  const whole = hash === hashOf(text.slice(0, end)) && byId.size === lines.length
  return { entries: [...byId.values()], torn: !whole }
}

function slotOf({ deploymentId, kind }: GrubEntry): string {
  return kind === 'staged' ? `${deploymentId} staged` : deploymentId
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function parseComment(text: string): GrubEntry | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  return typeof value === 'object' && value !== null ? checked(value as Record<string, unknown>) : null
}

const texts = ['title', 'linux', 'initrd', 'options'] as const

function checked(fields: Readonly<Record<string, unknown>>): GrubEntry | null {
  const { activation, architecture, deploymentId, kind, tries, triesDone } = fields
  if (!texts.every((name) => typeof fields[name] === 'string')) return null
  if (typeof deploymentId !== 'string' || !/^[0-9a-f]{64}-work[1-9][0-9]*$/.test(deploymentId)) return null
  if (!Number.isSafeInteger(activation) || Number(activation) < 0) return null
  if (architecture !== null && typeof architecture !== 'string') return null
  const isKnown =
    kind === 'staged' ||
    kind === 'good' ||
    (kind === 'trial' && isCountOrNull(tries)) ||
    (kind === 'bad' && isCountOrNull(triesDone))
  return isKnown ? (fields as GrubEntry) : null
}

function isCountOrNull(value: unknown): boolean {
  return value === null || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 9)
}
