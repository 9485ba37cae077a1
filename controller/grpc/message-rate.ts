/** Bounds what one host may send: `burst` at once, then `perSecond`. */
export type MessageRate = { take(nowMs: number): boolean }

export function openMessageRate(limits: { readonly burst: number; readonly perSecond: number }): MessageRate {
  let tokens = limits.burst
  let refilledAtMs: number | null = null
  return {
    take(nowMs) {
      const passedMs = nowMs - (refilledAtMs ?? nowMs)
      tokens = Math.min(limits.burst, tokens + (passedMs * limits.perSecond) / 1000)
      refilledAtMs = nowMs
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}
