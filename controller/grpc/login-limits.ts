import { status } from '@grpc/grpc-js'
import { openCallerRates } from './caller-rates.ts'
import { serviceError } from './status.ts'

/** What callers who have not shown who they are may cost. */
export type LoginLimits = {
  /** Every login begins with one challenge. @throws ServiceError RESOURCE_EXHAUSTED. */
  readonly admitChallenge: (peer: string) => void
  /** A few at a time, for each starts a process. @throws ServiceError RESOURCE_EXHAUSTED. */
  readonly verifying: <Result>(verify: () => Promise<Result>) => Promise<Result>
}

const refusal = 'too many log in at once; try again in a minute'
const RATES = {
  ofAll: { burst: 100, perSecond: 5 },
  /** A team may share one address. */
  ofOne: { burst: 20, perSecond: 0.5 },
  refusal,
}
const AT_ONCE_MAX = 4

export function openLoginLimits(now: () => number = () => performance.now()): LoginLimits {
  let underWay = 0
  return {
    admitChallenge: openCallerRates(RATES, now),
    async verifying(verify) {
      if (underWay >= AT_ONCE_MAX) throw serviceError(status.RESOURCE_EXHAUSTED, refusal)
      underWay += 1
      try {
        return await verify()
      } finally {
        underWay -= 1
      }
    },
  }
}
