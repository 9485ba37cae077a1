/** Wakes at once, and then at most once in the interval: who calls in between is served at its end. */
export type PacedWake = {
  readonly wake: () => void
  readonly close: () => void
}

export function createPacedWake(intervalMs: number, wake: () => void): PacedWake {
  let timer: NodeJS.Timeout | null = null
  let isAskedFor = false
  const rest = (): void => {
    timer = setTimeout(() => {
      timer = null
      if (!isAskedFor) return
      isAskedFor = false
      wake()
      rest()
    }, intervalMs)
  }
  return {
    wake() {
      if (timer !== null) {
        isAskedFor = true
        return
      }
      wake()
      rest()
    },
    close() {
      if (timer !== null) clearTimeout(timer)
    },
  }
}
