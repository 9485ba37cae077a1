import { sizeOf } from '../../../controller/desired-state/amount.ts'
import { orderKey } from '../../../controller/rollout/order.ts'
import {
  isCommitted,
  isEnded,
  isFailure,
  isFurther,
  isStaging,
  isWithdrawn,
  takesSlot,
} from '../../../controller/rollout/phases.ts'
import type { Decision } from '../../../controller/rollout/decision.ts'
import type { GrantRecord } from '../../../controller/rollout/records.ts'
import { waveIndexOf } from '../../../controller/rollout/waves.ts'
import type { Cause } from '../controller.ts'
import { grantKey } from '../store.ts'
import type { World } from '../world-model.ts'
import { isChosenByHand, labelsOf } from '../population.ts'
import { hold } from './broken.ts'
import { countAfter } from './judge.ts'
import type { Judge } from './judge.ts'
import { checkLimits } from './limits.ts'
import { newLeases, wantedBy } from './leases.ts'
import type { Lease } from './leases.ts'

/** Every lease of a decision against what was durable before it. */
export function checkLeases(judge: Judge, world: World, decision: Decision): void {
  const leases = newLeases(world.controller.store, decision.writes)
  for (const lease of leases) {
    checkLeave(world, lease)
    checkOrder(world, lease)
    checkSingleWriter(world, decision, lease)
    checkShape(lease)
  }
  if (leases.length === 0) return
  checkCaps(judge, world, { decision, leases })
  checkLimits(judge, world, { decision, leases })
}

function nameOf({ action, grant }: Lease): string {
  return `${action} for ${grant.hostId} in ${grant.rolloutId} (${grant.direction}, attempt ${grant.attempt})`
}

/** Nothing that was durable before forbids it. */
function checkLeave(world: World, lease: Lease): void {
  const { store, wanted } = world.controller
  const { rollout } = lease
  const fleet = store.fleets.get(rollout.fleet)
  const digest = wantedBy(lease)
  const denied = fleet?.denied.find((denial) => denial.digest === digest)
  hold(denied === undefined, 14, () => `${nameOf(lease)}: ${digest} is denied (${denied?.reason})`)
  const inGit = wanted?.fleets.find(({ name }) => name === rollout.fleet)
  const deniedInGit = inGit?.deny.some((denial) => denial.digest === digest) === true
  hold(!deniedInGit, 14, () => `${nameOf(lease)}: git denies ${digest}`)
  hold(rollout.state.kind !== 'Paused', 10, () => `${nameOf(lease)}: the rollout is paused`)
  const isForward = lease.grant.direction === 'Forward' && lease.grant.image === null
  hold(rollout.state.kind !== 'Aborted' || !isForward, 11, () => `${nameOf(lease)}: the rollout is aborted`)
  hold(
    inGit !== undefined && !inGit.suspend,
    10,
    () => `${nameOf(lease)}: the fleet is suspended or not in git`,
  )
  hold(!isChosenByHand(world, lease.grant.hostId), 31, () => `${nameOf(lease)}: a person chose there`)
  const halted = store.everyFleet?.halted ?? fleet?.halted ?? null
  hold(halted === null, 10, () => `${nameOf(lease)}: the fleet is halted`)
}

/** Joiners aside, nobody is granted anything before every earlier wave is durably over. */
function checkOrder(world: World, lease: Lease): void {
  const { grant, rollout } = lease
  if (rollout.state.kind !== 'Progressing') return
  const { store } = world.controller
  const isJoiner = (store.enrolments.get(grant.hostId)?.enrolledAtMs ?? 0) > rollout.startedAtMs
  if (isJoiner || grant.direction === 'Back' || grant.image !== null) return
  const key = orderKey(rollout.revision, grant.hostId)
  const index = waveIndexOf(rollout.waves, key, labelsOf(world, grant.hostId))
  const early = rollout.waves
    .slice(0, index)
    .filter(({ size, state }) => state !== 'Succeeded' && state !== 'Skipped' && size > 0)
  const allowed = lease.action === 'Activate' ? 0 : prefetched(world, lease)
  hold(early.length <= allowed, 3, () => {
    return `${nameOf(lease)}: is of wave ${index}, before wave "${early[0]?.name}" (${early[0]?.state}) is over`
  })
}

/** Waves ahead that may be downloaded already. */
function prefetched({ controller: { wanted } }: World, { rollout }: Lease): number {
  const fleet = wanted?.fleets.find(({ name }) => name === rollout.fleet)
  const frozen = 'downloads' in rollout.strategy ? rollout.strategy.downloads : fleet?.strategy.downloads
  return (frozen as { prefetch?: string } | undefined)?.prefetch === 'NextWave' ? 1 : 0
}

function checkSingleWriter({ controller: { store } }: World, decision: Decision, lease: Lease): void {
  const { grant, rollout } = lease
  const serving = store.fleets.get(rollout.fleet)?.rolloutId
  hold(serving === rollout.id, 12, () => `${nameOf(lease)}: ${serving} serves the fleet`)
  for (const other of store.rollouts.keys()) {
    if (other === rollout.id) continue
    const key = grantKey({ rolloutId: other, hostId: grant.hostId })
    const written = decision.writes.find((write) => write.kind === 'grant' && grantKey(write.record) === key)
    const elsewhere = written?.kind === 'grant' ? written.record : store.grants.get(key)
    hold(elsewhere === undefined || isEnded(elsewhere.phase), 12, () => {
      return `${nameOf(lease)}: the host is ${elsewhere?.phase} in ${other}`
    })
  }
}

/** Every lease has an end, and nobody holds two kinds. */
function checkShape(lease: Lease): void {
  const { grant } = lease
  const isBounded = lease.action === 'Stage' ? grant.stageUntilMs !== null : grant.endBy !== null
  hold(isBounded, 21, () => `${nameOf(lease)}: has no end`)
  hold(grant.phase !== 'AwaitingSlot' || grant.activateUntilMs === null, 22, () => {
    return `${nameOf(lease)}: waits for a slot and holds one`
  })
}

type Given = { readonly decision: Decision; readonly leases: readonly Lease[] }

function checkCaps(judge: Judge, world: World, { decision, leases }: Given): void {
  const { wanted } = world.controller
  for (const { grant, rollout } of leases) {
    const { fleet } = rollout
    const strategy = wanted?.fleets.find(({ name }) => name === fleet)?.strategy
    const slots = strategy?.downloads.maxConcurrent ?? 0
    const staging = countAfter(judge.staging.get(fleet), decision.writes, { fleet, isIn: isStaging })
    hold(staging <= slots, 1, () => `${staging} hosts of ${fleet} stage, at most ${slots} may`)
    if (!takesSlot(grant)) continue
    const unavailable = countAfter(judge.unavailable.get(fleet), decision.writes, { fleet, isIn: takesSlot })
    const members = judge.members.get(fleet)?.size ?? 0
    const max = strategy?.maxUnavailable ?? rollout.strategy.maxUnavailable
    const back = rollout.state.kind === 'RollingBack' ? rollout.strategy.rollback.maxUnavailable : max
    const allowed = Math.max(...[max, back].map((each) => sizeOf(each, members, 'up-at-least-one')))
    hold(unavailable <= allowed, 1, () => {
      return `${unavailable} of ${members} hosts of ${fleet} are unavailable, at most ${allowed} may`
    })
  }
}

/** What a decision does to grants that were there: attempts only grow, and ends are ends. */
export function checkFencing(world: World, cause: Cause, decision: Decision): void {
  for (const write of decision.writes) {
    if (write.kind !== 'grant') continue
    const grant = write.record
    const before = world.controller.store.grants.get(grantKey(grant))
    if (before === undefined) continue
    const moved = `${grantKey(grant)}: ${before.phase}#${before.attempt} → ${grant.phase}#${grant.attempt}`
    hold(grant.attempt >= before.attempt, 9, () => moved)
    hold(grant.generation === before.generation, 9, () => `${moved}: another generation`)
    hold(grant.failures >= before.failures, 19, () => `${moved}: ${before.failures} failures became fewer`)
    const isSame = grant.attempt === before.attempt && !isEnded(before.phase) && !isEnded(grant.phase)
    hold(!isSame || !isFurther(before.phase, grant.phase), 15, () => `${moved}: goes back`)
    if (grant.attempt > before.attempt) {
      hold(mayBeginNext(before, cause), 9, () => `${moved}: before it ended`)
    }
    if (grant.attempt === before.attempt && isEnded(before.phase) && before.phase !== grant.phase) {
      hold(cause.kind === 'retry' || mayCorrect(before, grant), 20, () => moved)
    }
  }
}

/** One decision may end an attempt and begin the next; past the commit point only the host ends it. */
function mayBeginNext(before: GrantRecord, cause: Cause): boolean {
  if (isEnded(before.phase) || !isCommitted(before.phase)) return true
  return cause.kind === 'open' || (cause.kind === 'report' && cause.hostId === before.hostId)
}

/** Ends that we decreed are corrected by what the host says later of the very same attempt. */
function mayCorrect(before: GrantRecord, after: GrantRecord): boolean {
  if (before.phase === 'TimedOut') return isEnded(after.phase)
  // Waits for another attempt, which may never come.
  if (before.phase === 'Pending') return isWithdrawn(after.phase) || after.phase === 'Succeeded'
  if (isWithdrawn(before.phase)) {
    return before.bootIdBefore !== null && (isEnded(after.phase) || isCommitted(after.phase))
  }
  return before.phase === 'Succeeded' && before.bootIdBefore === null && isFailure(after.phase)
}
