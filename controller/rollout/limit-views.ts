import { matchesSelector } from '../desired-state/label-selector.ts'
import type { WindowAction } from '../desired-state/types.ts'
import { allowedDownloads, allowedUnavailable } from './budget.ts'
import { limitsOf } from './holds.ts'
import { rateNow } from './rate.ts'
import { gateOf } from './schedule.ts'
import { hostOf } from './state-entries.ts'
import type { Fleet, Rollout, RolloutEngineState } from './state.ts'
import { allowedIn } from './topology.ts'
import type { Now } from './now.ts'
import { localTime } from './waits.ts'

/** How much of each limit is used, and when windows and freezes turn. Limits are those that git has now. */
export type LimitsView = {
  readonly unavailable: number
  readonly unavailableMax: number
  readonly downloading: number
  readonly downloadsMax: number
  /** Activations a minute now; 0: no rate. */
  readonly perMinute: number
  /** By label: those of which something is unavailable, the fullest first. */
  readonly budgets: readonly {
    readonly topologyKey: string
    readonly value: string
    readonly unavailable: number
    readonly unavailableMax: number
  }[]
  /** Empty where git has no windows. */
  readonly windows: readonly WindowTurn[]
  /** In force or to come, soonest first. */
  readonly freezes: readonly { readonly name: string; readonly fromMs: number; readonly toMs: number }[]
}

export type WindowTurn = {
  readonly action: WindowAction
  readonly open: boolean
  /** Open: the last moment to begin. Closed: when the next one opens that is long enough. 0: never. */
  readonly turnsAtMs: number
  /** `Sat 22:00 Europe/Berlin`; empty while it is open. */
  readonly opens: string
}

const BUDGETS_MAX = 20
const FREEZES_MAX = 5

/** Null where git does not want the fleet: then it gets nothing. */
export function describeLimits(
  state: RolloutEngineState,
  of: { readonly fleet: Fleet; readonly rollout: Rollout },
  now: Now,
): LimitsView | null {
  const { fleet, rollout } = of
  if (state.wanted?.has(fleet.record.fleet) !== true) return null
  const budgets = [...fleet.domains.values()]
    .filter(({ unavailable }) => unavailable > 0)
    .map((domain) => {
      const { topologyKey, unavailable, value } = domain
      return { topologyKey, value, unavailable, unavailableMax: allowedIn(domain) }
    })
  return {
    unavailable: fleet.unavailable,
    unavailableMax: allowedUnavailable(state, fleet, rollout.record),
    downloading: fleet.staging,
    downloadsMax: allowedDownloads(state, fleet),
    perMinute: rateNow(state, of, now)?.perMinute ?? 0,
    budgets: budgets
      .toSorted((a, b) => a.unavailableMax - a.unavailable - (b.unavailableMax - b.unavailable))
      .slice(0, BUDGETS_MAX),
    windows: windowsOf(state, of, now),
    freezes: freezesOf(state, fleet, now),
  }
}

function windowsOf(
  state: RolloutEngineState,
  of: { readonly fleet: Fleet; readonly rollout: Rollout },
  now: Now,
): readonly WindowTurn[] {
  const { windows } = limitsOf(state, of.fleet)
  const actions = (['Download', 'Activate'] as const).filter((action) =>
    windows.some(({ actions: concerned }) => concerned.includes(action)),
  )
  return actions.map((action) => {
    const gate = gateOf(state, { ...of, rollout: of.rollout.record, action }, now)
    if (gate.kind === 'Open') return { action, open: true, turnsAtMs: gate.untilMs ?? 0, opens: '' }
    const { next } = gate
    if (next === null) return { action, open: false, turnsAtMs: 0, opens: '' }
    return { action, open: false, turnsAtMs: next.startMs, opens: localTime(next) }
  })
}

function freezesOf(state: RolloutEngineState, fleet: Fleet, { wallMs }: Now): LimitsView['freezes'] {
  const { name: strategy } = limitsOf(state, fleet)
  return state.freezes
    .filter(({ except, toMs }) => toMs > wallMs && !except.includes(strategy))
    .toSorted((a, b) => a.fromMs - b.fromMs)
    .slice(0, FREEZES_MAX)
    .filter(({ selector }) =>
      [...fleet.members].some((id) => matchesSelector(selector, hostOf(state, id).labels)),
    )
    .map(({ fromMs, name, toMs }) => ({ name, fromMs, toMs }))
}
