/** Cumulative: a message is acknowledged once it and every message before it is taken. */
export type Acknowledgements = {
  /** Number of messages not yet taken. */
  readonly pending: number
  open(sequence: number): void
  /** Marks as taken; returns the sequence that may be acknowledged now, or null when an earlier one is still open. */
  taken(sequence: number): number | null
}

export function trackAcknowledgements(): Acknowledgements {
  const open: { readonly sequence: number; taken: boolean }[] = []
  return {
    get pending() {
      return open.length
    },
    open(sequence) {
      open.push({ sequence, taken: false })
    },
    taken(sequence) {
      const entry = open.find((candidate) => candidate.sequence === sequence)
      if (entry !== undefined) entry.taken = true
      let through: number | null = null
      while (open[0]?.taken === true) through = open.shift()?.sequence ?? null
      return through
    },
  }
}
