import type { EntryText } from './entry-text.ts'

/**
 * What GRUB is told of a deployment. A trial whose `tries` is null is not counted: the machine has no place that GRUB
 * can write to.
 */
export type GrubEntry = EntryText & GrubVerdict

export type GrubVerdict =
  | { kind: 'staged' }
  | { kind: 'good' }
  | { kind: 'trial'; tries: number | null }
  | { kind: 'bad'; triesDone: number | null }

/** What an entry says, without its verdict, and in one order. */
export function entryText(entry: EntryText): EntryText {
  const { title, activation, architecture, linux, initrd, options, deploymentId } = entry
  return { title, activation, architecture, linux, initrd, options, deploymentId }
}
