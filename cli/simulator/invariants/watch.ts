import { orderKey } from '../../../controller/rollout/order.ts'
import { waveIndexOf } from '../../../controller/rollout/waves.ts'
import type { Write } from '../../../controller/rollout/decision.ts'
import type { SimulatedHost } from '../host-model.ts'
import { quietWatch } from '../world-model.ts'
import type { Watch, World } from '../world-model.ts'
import { labelsOf } from '../population.ts'
import { hold } from './broken.ts'
import { checkFencing, checkLeases } from './grants.ts'
import { checkHeaders } from './headers.ts'
import { forget, newJudge, recountMembers, remember } from './judge.ts'
import type { Judge } from './judge.ts'
import { checkViews } from './views.ts'

/** Judges every step of a world; `clocksAreTrue`: no fault sets the controller's clock. */
export function judgingWatch(clocksAreTrue: boolean): Watch {
  const judge = newJudge(() => clocksAreTrue)
  return {
    ...quietWatch,
    onDecision: (world, cause, decision) => {
      judge.steps += 1
      if (cause.kind === 'open' && world.controller.store.rollouts.size === 0) forget(judge)
      if (cause.kind === 'wanted' || cause.kind === 'enrolled' || cause.kind === 'open')
        recountMembers(judge, world)
      checkFencing(world, cause, decision)
      checkLeases(judge, world, decision)
      checkHeaders(judge, world, decision)
    },
    onWritten: (world, writes) => {
      remember(judge, writes)
      noteHealthy(judge, world, writes)
    },
    onSettled: (world, cause, decision) => checkViews(judge, world, { cause, decision }),
    onActivated: (world, host) => checkActivation(judge, host, world),
  }
}

function noteHealthy(judge: Judge, world: World, writes: readonly Write[]): void {
  const { store } = world.controller
  for (const write of writes) {
    if (write.kind !== 'grant' || write.record.phase !== 'Succeeded' || write.record.pinned) continue
    const { hostId, rolloutId } = write.record
    const rollout = store.rollouts.get(rolloutId)
    const isJoiner = (store.enrolments.get(hostId)?.enrolledAtMs ?? 0) > (rollout?.startedAtMs ?? 0)
    if (rollout === undefined || isJoiner) continue
    const index = waveIndexOf(rollout.waves, orderKey(rollout.revision, hostId), labelsOf(world, hostId))
    judge.lastHealthyMs.set(`${rolloutId} ${index}`, world.elapsedMs)
  }
}

/** Nothing passes its commit point without a lease for it that was durable. */
function checkActivation(judge: Judge, host: SimulatedHost, world: World): void {
  const at = host.disk?.at
  if (at === undefined || !('plan' in at)) return
  const { attempt, rollout } = at.plan
  const leased = judge.mayActivate.has(`${rollout} ${host.spec.id} ${attempt}`)
  hold(leased, 21, () => `${host.spec.id} activated for ${rollout}#${attempt} without a lease`)
  const moveId = host.disk?.moved?.id
  const mayMove = moveId === undefined || at.plan.resumed === moveId
  hold(mayMove, 31, () => `${host.spec.id} took back what a person made it boot`)
  const denied = world.controller.store.fleets.get(at.plan.fleet)?.denied
  const isKnown = at.plan.deny.includes(at.plan.image.digest)
  hold(!isKnown || denied === undefined, 14, () => `${host.spec.id} activated what its own plan denies`)
}
