import { expect } from 'vitest'
import { runsImage } from '../../controller/rollout/evidence.ts'
import { orderKey } from '../../controller/rollout/order.ts'
import { isEnded, isFailure, isUnavailable } from '../../controller/rollout/phases.ts'
import type { Decision, Write } from '../../controller/rollout/decision.ts'
import type { GrantRecord, RolloutRecord, WaveRecord } from '../../controller/rollout/records.ts'
import { exceedsLimit } from '../../controller/rollout/wave-steps.ts'
import { waveIndexOf } from '../../controller/rollout/waves.ts'
import type { Store } from '../../cli/simulator/store.ts'
import type { World } from './rollout-world.ts'

type Soaks = Map<string, number>

/** Judges every decision against what was durable before it; remembers when the hosts of a wave turned healthy. */
export function gateWatch(): (world: World, decision: Decision) => void {
  const healthySince: Soaks = new Map()
  return (world, decision) => {
    for (const write of decision.writes) {
      if (write.kind === 'fleet') checkStable(world.store, decision, write)
      if (write.kind === 'grant') noteHealthy(world, healthySince, write.record)
    }
    for (const write of decision.writes) {
      if (write.kind === 'rollout') checkSoak(world, healthySince, write.record)
    }
    for (const lease of newLeases(world.store, decision.writes)) checkLease(world.store, decision, lease)
    for (const { rolloutId, wave } of decision.measures) {
      const record = written(decision, rolloutId) ?? world.store.rollouts.get(rolloutId)
      expect(record?.state.kind).toBe('Progressing')
      expect(['Soaking', 'Analysing']).toContain(record?.waves.find(({ name }) => name === wave)?.state)
    }
  }
}

function written(decision: Decision, rolloutId: string): RolloutRecord | undefined {
  const write = decision.writes.find((each) => each.kind === 'rollout' && each.record.id === rolloutId)
  return write?.kind === 'rollout' ? write.record : undefined
}

/** Only a rollout whose every wave passed moves stable. */
function checkStable(
  store: Store,
  decision: Decision,
  write: Extract<Write, { readonly kind: 'fleet' }>,
): void {
  const { stable } = write.record
  const before = store.fleets.get(write.record.fleet)?.stable ?? null
  if (stable === null || stable.rolloutId === before?.rolloutId) return
  const rollout = written(decision, stable.rolloutId) ?? store.rollouts.get(stable.rolloutId)
  expect(rollout?.waves.every(({ state }) => state === 'Succeeded' || state === 'Skipped')).toBe(true)
}

function waveOf(rollout: RolloutRecord, grant: GrantRecord): number {
  const { hostId, retried } = grant
  return retried?.wave ?? waveIndexOf(rollout.waves, orderKey(rollout.revision, hostId), {})
}

function isTail(store: Store, rollout: RolloutRecord, hostId: string): boolean {
  return (store.enrolments.get(hostId)?.enrolledAtMs ?? 0) > rollout.startedAtMs
}

function noteHealthy({ store, wallMs }: World, since: Soaks, grant: GrantRecord): void {
  const rollout = store.rollouts.get(grant.rolloutId)
  if (rollout === undefined || grant.phase !== 'Succeeded') return
  if (grant.retried === null && isTail(store, rollout, grant.hostId)) return
  since.set(`${rollout.id} ${waveOf(rollout, grant)}`, wallMs)
}

/** Wall time is never less than what the engine counted; who shortens it is named. */
function checkSoak({ store, wallMs }: World, since: Soaks, record: RolloutRecord): void {
  const before = store.rollouts.get(record.id)
  for (const [index, wave] of record.waves.entries()) {
    const wasSoaking = before?.waves[index]?.state === 'Soaking'
    const isPast =
      wave.state === 'Analysing' || wave.state === 'AwaitingApproval' || wave.state === 'Succeeded'
    if (!wasSoaking || !isPast || wave.promoted?.gate === 'Soak') continue
    expect(wallMs - (since.get(`${record.id} ${index}`) ?? 0)).toBeGreaterThanOrEqual(wave.soakMs)
  }
}

function newLeases(store: Store, writes: readonly Write[]): readonly GrantRecord[] {
  return writes.flatMap((write) => {
    if (write.kind !== 'grant' || isEnded(write.record.phase)) return []
    const { activateUntilMs, attempt, hostId, rolloutId } = write.record
    const before = store.grants.get(`${rolloutId} ${hostId}`)
    const isActivation = before?.activateUntilMs === null && activateUntilMs !== null
    return before?.attempt !== attempt || isActivation ? [write.record] : []
  })
}

/** After a pause or an abort nothing new is granted, nor to a wave that has failed too often. */
function checkLease(store: Store, decision: Decision, lease: GrantRecord): void {
  const rollout = store.rollouts.get(lease.rolloutId) as RolloutRecord
  expect(rollout.state.kind).not.toBe('Paused')
  if (lease.direction === 'Back') return checkBack(store, decision, lease)
  expect(rollout.state.kind).not.toBe('Aborted')
  if (
    rollout.state.kind !== 'Progressing' ||
    (lease.retried === null && isTail(store, rollout, lease.hostId))
  ) {
    return
  }
  const index = waveOf(rollout, lease)
  const wave = rollout.waves[index] as WaveRecord
  expect(wave.state).toBe('Running')
  const grants = new Map(
    [...store.grants.values()].map((grant) => [`${grant.rolloutId} ${grant.hostId}`, grant]),
  )
  for (const { key, record } of knownBefore(store, decision, lease)) grants.set(key, record)
  const members = [...grants.values()].filter(
    (grant) =>
      grant.rolloutId === rollout.id &&
      (grant.retried !== null || !isTail(store, rollout, grant.hostId)) &&
      waveOf(rollout, grant) === index,
  )
  const counts = {
    succeeded: members.filter(({ phase }) => phase === 'Succeeded').length,
    failed: members.filter(({ phase }) => isFailure(phase)).length,
    activated: members.filter(isUnavailable).length,
  }
  expect(exceedsLimit(counts, wave)).toBe(false)
}

/** Whoever fails as soon as it is its turn says nothing of those whose turn came before. */
function knownBefore(
  store: Store,
  { writes }: Decision,
  lease: GrantRecord,
): readonly { readonly key: string; readonly record: GrantRecord }[] {
  const at = writes.findIndex(({ record }) => record === lease)
  return writes.flatMap((write, index) => {
    if (write.kind !== 'grant') return []
    const { record } = write
    const key = `${record.rolloutId} ${record.hostId}`
    const isFailedAtOnce = isFailure(record.phase) && store.grants.get(key)?.attempt !== record.attempt
    return isFailedAtOnce && index > at ? [] : [{ key, record }]
  })
}

/** Each host goes back once, and only one that runs what is taken back or that joined later. */
function checkBack(store: Store, decision: Decision, lease: GrantRecord): void {
  const rollout = store.rollouts.get(lease.rolloutId) as RolloutRecord
  const before = store.grants.get(`${lease.rolloutId} ${lease.hostId}`)
  expect(rollout.from).not.toBe(null)
  expect(before?.direction === 'Back' && before.attempt !== lease.attempt && isFailure(before.phase)).toBe(
    false,
  )
  if (rollout.state.kind !== 'RollingBack' || lease.activateUntilMs !== null) return
  const said = decision.writes.find((write) => write.kind === 'host' && write.record.hostId === lease.hostId)
  const host = said?.kind === 'host' ? said.record : store.hosts.get(lease.hostId)
  expect(host !== undefined && runsImage(host.report, rollout.image)).toBe(true)
}

/** Once at rest: whoever may still be kept from it holds no lease of an aborted rollout. */
export function checkAborted({ store, wakeInMs }: World): void {
  if (wakeInMs === 0) return
  for (const { phase, rolloutId, direction } of store.grants.values()) {
    if (store.rollouts.get(rolloutId)?.state.kind !== 'Aborted' || direction === 'Back') continue
    expect(['Granted', 'Downloading', 'AwaitingSlot', 'Staged']).not.toContain(phase)
  }
}
