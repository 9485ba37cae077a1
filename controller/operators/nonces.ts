import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/**
 * Nonces that are good once, for a while, in this process. A caller who only asks for them costs no memory: which
 * were given is told by a code in them, and kept are those that came back.
 */
export type Nonces = {
  readonly give: () => string
  /** True the first time that one of ours comes back in time. */
  readonly take: (nonce: string) => boolean
}

const LIFE_MS = 60_000
const BYTES = { random: 16, expiry: 8, code: 32 }

/** `now`: milliseconds that never go back. */
export function openNonces(now: () => number = () => performance.now()): Nonces {
  const key = randomBytes(32)
  const codeOf = (body: Buffer): Buffer => createHmac('sha256', key).update(body).digest()
  const takenUntilMs = new Map<string, number>()

  function expiryOf(nonce: string): number | null {
    const bytes = Buffer.from(nonce, 'base64url')
    if (bytes.length !== BYTES.random + BYTES.expiry + BYTES.code || bytes.toString('base64url') !== nonce)
      return null
    const body = bytes.subarray(0, -BYTES.code)
    if (!timingSafeEqual(codeOf(body), bytes.subarray(-BYTES.code))) return null
    return body.readDoubleBE(BYTES.random)
  }

  return {
    give() {
      const expiry = Buffer.alloc(BYTES.expiry)
      expiry.writeDoubleBE(now() + LIFE_MS)
      const body = Buffer.concat([randomBytes(BYTES.random), expiry])
      return Buffer.concat([body, codeOf(body)]).toString('base64url')
    },
    take(nonce) {
      const nowMs = now()
      for (const [taken, untilMs] of takenUntilMs) if (untilMs <= nowMs) takenUntilMs.delete(taken)
      const untilMs = expiryOf(nonce)
      if (untilMs === null || untilMs <= nowMs || takenUntilMs.has(nonce)) return false
      takenUntilMs.set(nonce, untilMs)
      return true
    },
  }
}
