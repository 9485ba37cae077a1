import { status } from '@grpc/grpc-js'
import { openMessageRate } from './message-rate.ts'
import type { MessageRate } from './message-rate.ts'
import { serviceError } from './status.ts'

type Rate = Parameters<typeof openMessageRate>[0]

export type CallerRates = {
  readonly ofAll: Rate
  readonly ofOne: Rate
  /** What who asks too much is told. */
  readonly refusal: string
}

const ADDRESSES_MAX = 4_096

/**
 * Bounds callers who have shown nothing yet, by their address and all together. The answer takes the peer as the
 * connection says it, with its port, and throws ServiceError RESOURCE_EXHAUSTED.
 */
export function openCallerRates(
  { ofAll, ofOne, refusal }: CallerRates,
  now: () => number,
): (peer: string) => void {
  const all = openMessageRate(ofAll)
  const byAddress = new Map<string, MessageRate>()

  /** Whoever was not heard for longest is forgotten first. */
  function rateOf(address: string): MessageRate {
    const rate = byAddress.get(address) ?? openMessageRate(ofOne)
    byAddress.delete(address)
    byAddress.set(address, rate)
    const [oldest] = byAddress.keys()
    if (byAddress.size > ADDRESSES_MAX && oldest !== undefined) byAddress.delete(oldest)
    return rate
  }

  return (peer) => {
    const nowMs = now()
    // One address that asks too much must not use up what all have together.
    if (rateOf(addressOf(peer)).take(nowMs) && all.take(nowMs)) return
    throw serviceError(status.RESOURCE_EXHAUSTED, refusal)
  }
}

/** Without the port; at most as long as an IPv6 address. */
export function addressOf(peer: string): string {
  return peer
    .replace(/:\d+$/, '')
    .replaceAll(/[^0-9a-fA-F.:]/g, '')
    .slice(0, 45)
}
