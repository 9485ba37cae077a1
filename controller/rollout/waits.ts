import type { WindowAction } from '../desired-state/types.ts'
import { instantToLocal } from '../desired-state/zone.ts'
import { allowedDownloads, allowedUnavailable } from './budget.ts'
import { holdsOf } from './holds.ts'
import { rateNow } from './rate.ts'
import { isBackingOff } from './retry.ts'
import { gateOf, needOf } from './schedule.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { LimitReason, WindowReason } from './states.ts'
import { allowedIn, fullDomain } from './topology.ts'
import type { Now } from './now.ts'
import type { Opening } from './windows.ts'

type Place = { readonly fleet: Fleet; readonly rollout: Rollout; readonly host: Host }

/** The limit that keeps a host in an open wave from pulling; null: it is about to. */
export function waitForDownload(state: RolloutEngineState, place: Place, now: Now): LimitReason | null {
  const { fleet } = place
  const backoff = waitForRetry(place, now)
  if (backoff !== null) return backoff
  const window = waitForWindow(state, { ...place, action: 'Download' }, now)
  if (window !== null) return window
  const allowed = allowedDownloads(state, fleet)
  return fleet.staging < allowed ? null : { kind: 'DownloadSlots', downloading: fleet.staging, allowed }
}

function waitForRetry({ host, rollout }: Place, now: Now): LimitReason | null {
  const grant = host.grants.get(rollout.record.id)
  if (grant === undefined || !isBackingOff(grant)) return null
  const { message, notBeforeMs, retries } = grant
  return {
    kind: 'Backoff',
    message,
    inMs: Math.max(0, (notBeforeMs as number) - now.wallMs),
    retry: Math.max(retries.download, retries.stage),
    limit: rollout.record.strategy.retry.limit,
  }
}

/** The limit that keeps a staged host in an open wave from activating, in the order in which they are asked. */
export function waitForActivation(state: RolloutEngineState, place: Place, now: Now): LimitReason {
  const { fleet, host, rollout } = place
  const holds = holdsOf(state, fleet, host)
  const freeze = state.freezes.find(({ name }) => state.frozen.has(name) && holds.freezes.includes(name))
  if (freeze !== undefined) {
    return { kind: 'Freeze', name: freeze.name, inMs: Math.max(0, freeze.toMs - now.wallMs) }
  }
  const window = waitForWindow(state, { ...place, action: 'Activate' }, now)
  if (window !== null) return window
  const domain = fullDomain(holds)
  if (domain !== null) {
    const { topologyKey, unavailable, value } = domain
    return { kind: 'TopologyBudget', topologyKey, value, unavailable, allowed: allowedIn(domain) }
  }
  const rate = rateNow(state, { fleet, rollout }, now)
  if (rate !== null && rate.left === 0) {
    return { kind: 'Rate', perMinute: rate.perMinute, inMs: Math.max(0, rate.inMs) }
  }
  const allowed = allowedUnavailable(state, fleet, rollout.record)
  return { kind: 'MaxUnavailable', unavailable: fleet.unavailable, allowed }
}

/** Whether windows keep hosts of the rollout from the action, and until when. */
export function waitForWindow(
  state: RolloutEngineState,
  place: Omit<Place, 'host'> & { readonly action: WindowAction },
  now: Now,
): WindowReason | null {
  const { action, fleet } = place
  const rollout = place.rollout.record
  const gate = gateOf(state, { fleet, rollout, action }, now)
  if (gate.kind === 'Open') return null
  const { longestMs, next } = gate
  const needMs = needOf(rollout, action)
  const inMs = next === null ? null : next.startMs - now.wallMs
  return { kind: 'Window', action, opens: next === null ? '' : localTime(next), inMs, needMs, longestMs }
}

export function localTime({ startMs, timeZone }: Opening): string {
  const { minuteOfDay, weekday } = instantToLocal(startMs, timeZone)
  const digits = [Math.floor(minuteOfDay / 60), minuteOfDay % 60].map((part) => String(part).padStart(2, '0'))
  return `${weekday} ${digits.join(':')} ${timeZone}`
}
