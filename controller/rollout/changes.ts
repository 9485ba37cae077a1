import type { Write } from './decision.ts'
import type { Now } from './now.ts'

/** One call of `apply`: what it changes outside. Later writes of the same key replace earlier ones. */
export type Changes = {
  readonly now: Now
  readonly writes: Map<string, Write>
  readonly publishes: Set<string>
  /** Something is left that must wait until the writes above are durable. */
  again: boolean
}

export function noChanges(now: Now): Changes {
  return { now, writes: new Map(), publishes: new Set(), again: false }
}
