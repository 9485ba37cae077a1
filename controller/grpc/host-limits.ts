import { status } from '@grpc/grpc-js'
import { openMessageRate } from './message-rate.ts'
import type { MessageRate } from './message-rate.ts'
import { serviceError } from './status.ts'

/** What one host may ask of the controller, however many connections it opens. */
export type HostLimits = {
  /** @throws ServiceError RESOURCE_EXHAUSTED. */
  readonly admitStream: (hostId: string) => void
  /** One at a time. @throws ServiceError RESOURCE_EXHAUSTED. */
  readonly renewing: <Result>(hostId: string, renew: () => Promise<Result>) => Promise<Result>
}

/** A host comes back when its network or the controller does; half a second apart at the closest, for a while. */
const STREAMS = { burst: 60, perSecond: 1 }
/** The shortest certificates are renewed every five seconds. */
const RENEWALS = { burst: 10, perSecond: 0.5 }

/** Call it for hosts that are enrolled: it remembers each. */
export function openHostLimits(now: () => number = () => performance.now()): HostLimits {
  const streams = new Map<string, MessageRate>()
  const renewals = new Map<string, MessageRate>()
  const underWay = new Set<string>()
  return {
    admitStream: (hostId) => take(streams, STREAMS, { hostId, what: 'streams', nowMs: now() }),
    async renewing(hostId, renew) {
      take(renewals, RENEWALS, { hostId, what: 'renewals', nowMs: now() })
      if (underWay.has(hostId)) throw exhausted(`a renewal of host ${hostId} is under way`)
      underWay.add(hostId)
      try {
        return await renew()
      } finally {
        underWay.delete(hostId)
      }
    },
  }
}

function take(
  rates: Map<string, MessageRate>,
  limits: typeof STREAMS,
  asked: { readonly hostId: string; readonly what: string; readonly nowMs: number },
): void {
  const { hostId, what, nowMs } = asked
  const rate = rates.get(hostId) ?? openMessageRate(limits)
  rates.set(hostId, rate)
  if (!rate.take(nowMs)) throw exhausted(`host ${hostId} asks for too many ${what}; it must wait`)
}

function exhausted(found: string): Error {
  return serviceError(status.RESOURCE_EXHAUSTED, found)
}
