import { orderKey } from '../../../controller/rollout/order.ts'
import type { Decision } from '../../../controller/rollout/decision.ts'
import type { FleetRecord, RolloutRecord, WaveRecord } from '../../../controller/rollout/records.ts'
import { waveIndexOf } from '../../../controller/rollout/waves.ts'
import type { World } from '../world-model.ts'
import { isApart, labelsOf } from '../population.ts'
import { hold } from './broken.ts'
import type { Judge } from './judge.ts'

/** What a decision does to fleets and headers. */
export function checkHeaders(judge: Judge, world: World, decision: Decision): void {
  const { store } = world.controller
  for (const write of decision.writes) {
    if (write.kind === 'fleet') checkFleet(world, decision, write.record)
    if (write.kind !== 'rollout') continue
    const { record } = write
    const before = store.rollouts.get(record.id)
    if (before === undefined) checkPlanned(judge, world, record)
    else
      for (const [index, wave] of record.waves.entries())
        checkWave(judge, world, { before, record, index, wave })
  }
}

function checkFleet({ controller: { store } }: World, decision: Decision, record: FleetRecord): void {
  const before = store.fleets.get(record.fleet)
  hold(record.generation >= (before?.generation ?? 0), 9, () => `${record.fleet}: its generation shrank`)
  if (record.stable === null || record.stable.rolloutId === before?.stable?.rolloutId) return
  const { rolloutId, revision } = record.stable
  const written = decision.writes.find((write) => write.kind === 'rollout' && write.record.id === rolloutId)
  const rollout = written?.kind === 'rollout' ? written.record : store.rollouts.get(rolloutId)
  // A wiped store learns what is stable from hosts.
  if (rollout === undefined) return
  hold(rollout.revision === revision, 13, () => `${record.fleet}: stable is not what ${rolloutId} made`)
  const over = rollout.waves.every(({ state }) => state === 'Succeeded' || state === 'Skipped')
  hold(
    over && rollout.state.kind === 'Succeeded',
    13,
    () => `${record.fleet}: ${rolloutId} made stable before its end`,
  )
}

/** Every member is in exactly one wave, and the waves are as large as they say. */
function checkPlanned(judge: Judge, world: World, record: RolloutRecord): void {
  const all = judge.members.get(record.fleet) ?? new Set<string>()
  const members = new Set([...all].filter((hostId) => !isApart(world, hostId)))
  hold(record.populationSize === members.size, 4, () => {
    return `${record.id}: planned for ${record.populationSize} hosts, and the fleet has ${members.size}`
  })
  const counts = record.waves.map(() => 0)
  for (const hostId of members) {
    const index = waveIndexOf(record.waves, orderKey(record.revision, hostId), labelsOf(world, hostId))
    hold(index in counts, 4, () => `${record.id}: ${hostId} is in no wave`)
    counts[index] = (counts[index] as number) + 1
  }
  for (const [index, wave] of record.waves.entries()) {
    hold(wave.size === counts[index], 6, () => {
      return `${record.id}: wave "${wave.name}" says ${wave.size} hosts and holds ${counts[index]}`
    })
  }
}

const over: readonly WaveRecord['state'][] = ['Succeeded', 'Skipped', 'Failed', 'Cancelled']

type Changed = {
  readonly before: RolloutRecord
  readonly record: RolloutRecord
  readonly index: number
  readonly wave: WaveRecord
}

function checkWave(judge: Judge, world: World, { before, index, record, wave }: Changed): void {
  const was = before.waves[index]
  if (was === undefined || was.state === wave.state) return
  const moved = `${record.id}: wave "${wave.name}" ${was.state} → ${wave.state}`
  const mayReopen = was.state === 'Cancelled' || was.state === 'Failed'
  hold(!over.includes(was.state) || mayReopen, 20, () => moved)
  if (wave.state === 'Pending') return
  const isLate = record.waves.slice(0, index).every(({ state }) => over.includes(state))
  hold(isLate || wave.state === 'Cancelled', 3, () => `${moved}, before an earlier wave is over`)
  if (wave.state !== 'Succeeded' || wave.promoted !== null || !judge.isClockTrue()) return
  const since = judge.lastHealthyMs.get(`${record.id} ${index}`)
  const soakedMs = since === undefined ? Infinity : world.elapsedMs - since
  hold(soakedMs >= wave.soakMs, 26, () => {
    return `${moved}, ${Math.round(soakedMs / 1000)} s after its newest host was healthy, with a soak of ${wave.soakMs / 1000} s`
  })
}
