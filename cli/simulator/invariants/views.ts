import { describeRollouts } from '../../../controller/rollout/engine.ts'
import type { RolloutView } from '../../../controller/rollout/rollout-views.ts'
import type { RolloutEngineState } from '../../../controller/rollout/engine.ts'
import { orderKey } from '../../../controller/rollout/order.ts'
import { isEnded, isFailure, isOpenAgain, isWithdrawn } from '../../../controller/rollout/phases.ts'
import { renderReason } from '../../../controller/rollout/sentences.ts'
import type { Cause } from '../controller.ts'
import { nowOf } from '../controller.ts'
import { waveIndexOf } from '../../../controller/rollout/waves.ts'
import type { Decision } from '../../../controller/rollout/decision.ts'
import type { GrantRecord, RolloutRecord } from '../../../controller/rollout/records.ts'
import type { World } from '../world-model.ts'
import { isApart, labelsOf } from '../population.ts'
import { hold } from './broken.ts'
import type { Judge } from './judge.ts'

/** Views of the whole fleet are checked every so many steps, and at the end. */
const wholeEvery = 64

/** What an operator would be told now. */
export function checkViews(judge: Judge, world: World, { cause, decision }: Told): void {
  const isAtRest = decision.wakeInMs !== 0
  const ids = [...world.hosts.keys()]
  const asked = 'hostId' in cause && cause.hostId !== null ? cause.hostId : ids[judge.steps % ids.length]
  if (asked !== undefined) checkReason(world, asked, isAtRest)
  if (judge.steps % wholeEvery === 0) checkCounts(world)
}

type Told = { readonly cause: Cause; readonly decision: Decision }

/** One reason, in words; and none is said to be next while the engine has nothing more to do. */
export function checkReason(world: World, hostId: string, isAtRest: boolean): void {
  const { controller, office } = world
  const { state } = controller
  if (state === null || !controller.store.enrolments.has(hostId)) return
  const reason = controller.engine.explain(state, hostId, { ...nowOf(controller, office), elapsedMs: 0 })
  const text = reason.kind === 'Progressing' ? reason.phase : renderReason(reason)
  hold(text !== '', 30, () => `${hostId} has no reason`)
  const isNext = reason.kind === 'Progressing' && reason.phase === 'Pending'
  hold(!isNext || !isAtRest, 30, () => `${hostId} is next to be granted, and nothing is going to grant it`)
}

/** The engine's counters, against the grants as they are stored. */
export function checkCounts(world: World): void {
  const { controller, office } = world
  const state = controller.state as RolloutEngineState | null
  // Who is pinned, held or declared to be elsewhere is known when git is.
  if (state === null || state.wanted === null) return
  const { store } = controller
  const wallMs = nowOf(controller, office).wallMs
  for (const view of describeRollouts(state, null, {
    wallMs,
    elapsedMs: 0,
  })) {
    for (const wave of view.waves) {
      const parts = wave.hostsSucceeded + wave.hostsFailed + wave.hostsInProgress + wave.hostsSkipped
      hold(parts <= wave.hostsTotal, 7, () => `${view.id} "${wave.name}": ${parts} of ${wave.hostsTotal}`)
    }
    if (store.fleets.get(view.fleet)?.rolloutId === view.id) checkRecount(world, view)
  }
}

type Counted = { succeeded: number; failed: number; inProgress: number }

function checkRecount(world: World, view: RolloutView): void {
  const { store } = world.controller
  const rollout = store.rollouts.get(view.id)
  if (rollout === undefined) return
  const counts = rollout.waves.map((): Counted => ({ succeeded: 0, failed: 0, inProgress: 0 }))
  for (const grant of store.grants.values()) {
    if (grant.rolloutId !== view.id) continue
    const count = counts[waveOf(world, grant, rollout)]
    const counted = classOf(grant, isApart(world, grant.hostId))
    if (count !== undefined && counted !== null) count[counted] += 1
  }
  for (const [index, wave] of view.waves.entries()) {
    const { failed, inProgress, succeeded } = counts[index] as Counted
    const same =
      succeeded === wave.hostsSucceeded && failed === wave.hostsFailed && inProgress === wave.hostsInProgress
    hold(same, 7, () => {
      return `${view.id} "${wave.name}": counts ${wave.hostsSucceeded}+${wave.hostsFailed}+${wave.hostsInProgress}, a recount of the grants gives ${succeeded}+${failed}+${inProgress}`
    })
  }
}

/** Of the wave that it is in, or that the rollout was at when it was tried again; joiners are in none. */
function waveOf(world: World, { hostId, retried }: GrantRecord, rollout: RolloutRecord): number {
  if (retried !== null) return retried.wave
  const joined = (world.controller.store.enrolments.get(hostId)?.enrolledAtMs ?? 0) > rollout.startedAtMs
  if (joined) return rollout.waves.length
  return waveIndexOf(rollout.waves, orderKey(rollout.revision, hostId), labelsOf(world, hostId))
}

function classOf(grant: GrantRecord, apart: boolean): keyof Counted | null {
  const { failedBefore, image, phase, pinned } = grant
  const isOnTheWay = pinned || (image !== null && phase === 'Succeeded')
  const isOver = isEnded(phase)
  if (apart && (isOpenAgain(grant) || isWithdrawn(phase))) return null
  if (failedBefore) return 'failed'
  if (isOnTheWay && (isOver || apart)) return null
  if (phase === 'Succeeded') return 'succeeded'
  if (isFailure(phase)) return 'failed'
  return isOver ? null : 'inProgress'
}
