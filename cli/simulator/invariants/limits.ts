import { sizeOf } from '../../../controller/desired-state/amount.ts'
import { matchesSelector } from '../../../controller/desired-state/label-selector.ts'
import type { Strategy, Weekday, Window } from '../../../controller/desired-state/types.ts'
import { instantToLocal, localToInstant } from '../../../controller/desired-state/zone.ts'
import { takesSlot } from '../../../controller/rollout/phases.ts'
import { perMinuteAfter } from '../../../controller/rollout/rate.ts'
import type { Decision } from '../../../controller/rollout/decision.ts'
import { nowOf } from '../controller.ts'
import { labelsOf } from '../population.ts'
import { grantKey } from '../store.ts'
import type { World } from '../world-model.ts'
import { hold } from './broken.ts'
import type { Judge } from './judge.ts'
import type { Lease } from './leases.ts'

type Given = { readonly decision: Decision; readonly leases: readonly Lease[] }

/** Windows, freezes, rates and budgets, as git has them now. */
export function checkLimits(judge: Judge, world: World, { decision, leases }: Given): void {
  for (const lease of leases) {
    const fleet = world.controller.wanted?.fleets.find(({ name }) => name === lease.rollout.fleet)
    if (fleet === undefined) continue
    checkWindow(world, lease, fleet.strategy)
    if (lease.action !== 'Activate') continue
    checkFreeze(world, lease, fleet.strategy)
    checkBudgets(judge, world, { lease, decision, strategy: fleet.strategy })
    checkRate(judge, world, { lease, strategy: fleet.strategy })
  }
}

const days: readonly Weekday[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const minuteMs = 60_000
const dayMs = 1_440 * minuteMs

/** A window belongs to the local day that it starts on. */
export function isInside({ days: on, durationMs, startMinute, timeZone }: Window, atMs: number): boolean {
  const local = instantToLocal(atMs, timeZone)
  const today = days.indexOf(local.weekday)
  for (let back = 0; back <= Math.ceil(durationMs / dayMs) + 1; back += 1) {
    const weekday = days[(today - back + 70) % 7] as Weekday
    if (!on.includes(weekday)) continue
    const startMs = localToInstant({ ...local, day: local.day - back, minuteOfDay: startMinute }, timeZone)
    if (startMs <= atMs && atMs < startMs + durationMs) return true
  }
  return false
}

function checkWindow(world: World, { action, grant, rollout }: Lease, { windows }: Strategy): void {
  if (rollout.state.kind === 'RollingBack' && rollout.strategy.rollback.windows === 'Ignore') return
  const { wallMs } = nowOf(world.controller, world.office)
  const name = action === 'Stage' ? 'Download' : 'Activate'
  const about = windows.filter(({ actions }) => actions.includes(name))
  const allowing = about.filter(({ kind }) => kind === 'Allow')
  const isAllowed = allowing.length === 0 || allowing.some((window) => isInside(window, wallMs))
  hold(isAllowed, 17, () => `${name} for ${grant.hostId} outside of every window`)
  const denying = about.find((window) => window.kind === 'Deny' && isInside(window, wallMs))
  hold(
    denying === undefined,
    17,
    () => `${name} for ${grant.hostId} while it is denied (${JSON.stringify(denying)})`,
  )
}

function checkFreeze(world: World, { grant }: Lease, strategy: Strategy): void {
  const { wallMs } = nowOf(world.controller, world.office)
  for (const freeze of world.controller.wanted?.freezes ?? []) {
    const isActive = freeze.fromMs <= wallMs && wallMs < freeze.toMs
    const isMeant = matchesSelector(freeze.selector, labelsOf(world, grant.hostId))
    const isFree = freeze.except.includes(strategy.name)
    hold(!isActive || !isMeant || isFree, 17, () => `activation of ${grant.hostId} in freeze ${freeze.name}`)
  }
}

type Budgeted = { readonly lease: Lease; readonly decision: Decision; readonly strategy: Strategy }

function checkBudgets(judge: Judge, world: World, { decision, lease, strategy }: Budgeted): void {
  const { grant, rollout } = lease
  if (!takesSlot(grant)) return
  const members = judge.members.get(rollout.fleet) ?? new Set<string>()
  for (const { maxUnavailable, topologyKey } of strategy.budgets) {
    const value = labelsOf(world, grant.hostId)[topologyKey]
    if (value === undefined) continue
    const peers = [...members].filter((id) => labelsOf(world, id)[topologyKey] === value)
    const down = peers.filter((id) => isDown(world, decision, id)).length
    const allowed = sizeOf(maxUnavailable, peers.length, 'up-at-least-one')
    hold(down <= allowed, 2, () => {
      return `${down} of ${peers.length} hosts with ${topologyKey}=${value} may be down, and ${allowed} may; the last is ${grant.hostId}`
    })
  }
}

/** By what is durable once the decision is: on its way through a boot, or not to be reached. */
function isDown({ controller }: World, decision: Decision, hostId: string): boolean {
  if (!controller.connected.has(hostId)) return true
  const written = decision.writes.flatMap((write) => {
    return write.kind === 'grant' && write.record.hostId === hostId ? [write.record] : []
  })
  if (written.some(takesSlot)) return true
  const known = new Set(written.map(grantKey))
  for (const rolloutId of controller.store.rollouts.keys()) {
    const stored = controller.store.grants.get(grantKey({ rolloutId, hostId }))
    if (stored !== undefined && !known.has(grantKey(stored)) && takesSlot(stored)) return true
  }
  return false
}

type Rated = { readonly lease: Lease; readonly strategy: Strategy }

/** Going back is not slowed down. */
function checkRate(judge: Judge, world: World, { lease, strategy }: Rated): void {
  const { grant, rollout } = lease
  if (strategy.rate === null || rollout.state.kind === 'RollingBack' || !judge.isClockTrue()) return
  const { grants } = world.controller.store
  let succeeded = 0
  for (const { phase, rolloutId } of grants.values()) {
    if (rolloutId === rollout.id && phase === 'Succeeded') succeeded += 1
  }
  const sinceMs = world.elapsedMs - minuteMs
  const recent = (judge.activationsMs.get(rollout.fleet) ?? []).filter((atMs) => atMs > sinceMs)
  judge.activationsMs.set(rollout.fleet, [...recent, world.elapsedMs])
  const most = perMinuteAfter(succeeded + 1, strategy.rate)
  hold(
    recent.length < most,
    18,
    () => `${recent.length + 1} activations within a minute at ${grant.hostId}, at most ${most} may`,
  )
}
