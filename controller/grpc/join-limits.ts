import { openCallerRates } from './caller-rates.ts'

/** What callers may ask who have shown nothing yet. */
export type JoinLimits = {
  /** `peer`: as the connection says, with its port. @throws ServiceError RESOURCE_EXHAUSTED. */
  readonly admit: (peer: string) => void
}

const rates = {
  ofAll: { burst: 200, perSecond: 50 },
  /** Whole sites come from one address. */
  ofOne: { burst: 60, perSecond: 10 },
}

export function openJoinLimits(now: () => number = () => performance.now()): JoinLimits {
  return { admit: openCallerRates({ ...rates, refusal: 'too many ask to join; try again in a while' }, now) }
}

/** Of their own: where a whole fleet comes back, hosts that join must not wait for it. */
export function openReturnLimits(now: () => number = () => performance.now()): JoinLimits {
  const refusal = 'too many ask to come back; try again in a while'
  return { admit: openCallerRates({ ...rates, refusal }, now) }
}
