/** Tells listeners that something changed, at most once in `intervalMs`, and never forgets the last change. */
export type ChangeFeed = {
  readonly changed: () => void
  /** Returns what stops it; null when there are too many listeners already. */
  readonly listen: (listener: () => void) => (() => void) | null
  readonly close: () => void
}

export function createChangeFeed(options: {
  readonly intervalMs: number
  readonly listenersMax: number
}): ChangeFeed {
  const listeners = new Set<() => void>()
  let timer: NodeJS.Timeout | null = null
  return {
    changed() {
      timer ??= setTimeout(() => {
        timer = null
        for (const listener of listeners) listener()
      }, options.intervalMs)
    },
    listen(listener) {
      if (listeners.size >= options.listenersMax) return null
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      if (timer !== null) clearTimeout(timer)
      listeners.clear()
    },
  }
}
