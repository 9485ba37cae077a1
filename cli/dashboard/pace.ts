/** Does `work` for any number of requests, but not more often than once in `everyMs`. */
export type Pace = { readonly request: () => void; readonly stop: () => void }

export function openPace(everyMs: number, work: () => void): Pace {
  let lastMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | null = null
  return {
    request() {
      if (timer !== null) return
      const waitMs = Math.max(0, lastMs + everyMs - performance.now())
      timer = setTimeout(() => {
        timer = null
        lastMs = performance.now()
        work()
      }, waitMs)
    },
    stop() {
      if (timer !== null) clearTimeout(timer)
      timer = null
    },
  }
}
