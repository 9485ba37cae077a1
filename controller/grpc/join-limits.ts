import { openCallerRates } from './caller-rates.ts'

/** What callers may ask who have shown nothing yet. */
export type JoinLimits = {
  /** `peer`: as the connection says, with its port. @throws ServiceError RESOURCE_EXHAUSTED. */
  readonly admit: (peer: string) => void
}

const RATES = {
  ofAll: { burst: 200, perSecond: 50 },
  /** Whole sites come from one address. */
  ofOne: { burst: 60, perSecond: 10 },
  refusal: 'too many ask to join; try again in a while',
}

export function openJoinLimits(now: () => number = () => performance.now()): JoinLimits {
  return { admit: openCallerRates(RATES, now) }
}
