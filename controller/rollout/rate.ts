import type { Rate } from '../desired-state/types.ts'
import { limitsOf } from './holds.ts'
import type { Fleet, Rollout, RolloutEngineState } from './state.ts'
import type { Now } from './now.ts'

const minuteMs = 60_000

/** Minutes for which a rate must have gone well before it grows. */
const provenMinutes = 10

/**
 * Activations a minute after so many hosts succeeded: `basePerMinute`, times `factor` for each step, at most
 * `maxPerMinute`. A step is taken when as many hosts succeeded as ten minutes at the rate before it grant; failures,
 * time and hosts that ran the image already take none.
 */
export function perMinuteAfter(succeeded: number, rate: Rate): number {
  let perMinute = rate.basePerMinute
  let left = succeeded
  while (rate.factor > 1 && perMinute < rate.maxPerMinute) {
    const needed = provenMinutes * Math.max(1, Math.floor(perMinute))
    if (left < needed) break
    left -= needed
    perMinute *= rate.factor
  }
  return Math.floor(Math.min(perMinute, rate.maxPerMinute))
}

export type RateNow = { readonly perMinute: number; readonly left: number; readonly inMs: number }

/**
 * How many activations the fleet may still be granted in the minute that ends now, over all its rollouts, and when
 * the next one may be. Null: no rate. Going back is not slowed down: it has limits of its own.
 */
export function rateNow(
  state: RolloutEngineState,
  { fleet, rollout }: { readonly fleet: Fleet; readonly rollout: Rollout },
  now: Now,
): RateNow | null {
  const rate = limitsOf(state, fleet).rate
  if (rate === null || rollout.record.state.kind === 'RollingBack') return null
  const perMinute = perMinuteAfter(succeededOf(rollout), rate)
  const recent = recentOf(fleet, now)
  const blocking = recent.at(recent.length - perMinute)
  const left = Math.max(0, perMinute - recent.length)
  const inMs = left > 0 || blocking === undefined ? 0 : blocking + minuteMs - now.wallMs
  return { perMinute, left, inMs }
}

function succeededOf({ buckets }: Rollout): number {
  return buckets.reduce((sum, bucket) => sum + bucket.succeeded - bucket.adopted, 0)
}

/** Times in the future are those of a clock that was set back: they count for a minute, and no longer. */
function recentOf(fleet: Fleet, { wallMs }: Now): readonly number[] {
  const { activationsMs } = fleet
  const old = activationsMs.findLastIndex((at) => at <= wallMs - minuteMs) + 1
  if (old > 0) activationsMs.splice(0, old)
  return activationsMs.filter((at) => at < wallMs + minuteMs)
}

export function noteActivation(fleet: Fleet, atMs: number): void {
  const { activationsMs } = fleet
  const place = activationsMs.findLastIndex((other) => other <= atMs) + 1
  activationsMs.splice(place, 0, atMs)
}

/** What the records say of the last minute, after a start. */
export function noteActivations(state: RolloutEngineState): void {
  for (const host of state.hosts.values()) {
    for (const { activateGrantedAtMs, rolloutId } of host.grants.values()) {
      const fleet = state.fleets.get(state.rollouts.get(rolloutId)?.record.fleet ?? '')
      if (fleet !== undefined && activateGrantedAtMs !== null) fleet.activationsMs.push(activateGrantedAtMs)
    }
  }
  for (const { activationsMs } of state.fleets.values()) activationsMs.sort((a, b) => a - b)
}
