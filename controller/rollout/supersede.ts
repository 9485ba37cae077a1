import { denialOf } from './budget.ts'
import { recountFleet } from './contribution.ts'
import { withdrawAll } from './grants.ts'
import { orderKey } from './order.ts'
import { chooseForgotten } from './retention.ts'
import { currentRollout, newRollout, writeFleet, writeRollout } from './state.ts'
import type { Changes, Fleet, RolloutEngineState } from './state.ts'
import type { RolloutRecord, WantedFleet } from './types.ts'
import { planWaves } from './waves.ts'

/** Begins a rollout when the fleet wants what it is not getting yet. */
export function startWanted(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const wanted = state.wanted?.get(fleet.record.fleet)
  if (wanted === undefined || !needsRollout(state, fleet, wanted)) return
  const generation = nextGeneration(state, fleet)
  const record = planRollout(state, changes, { fleet, wanted, generation })
  writeFleet(state, changes, { ...fleet.record, generation, rolloutId: record.id })
  supersedeOthers(state, changes, record)
  const rollout = newRollout(record)
  state.rollouts.set(record.id, rollout)
  writeRollout(rollout, changes, record)
  recountFleet(state, record.fleet)
  chooseForgotten(state)
  changes.again = true
}

function needsRollout(state: RolloutEngineState, fleet: Fleet, wanted: WantedFleet): boolean {
  if (wanted.suspend || fleet.members.size === 0 || denialOf(fleet, wanted.image.digest) !== null)
    return false
  const current = currentRollout(state, fleet)?.record
  if (current === undefined) return true
  if (current.revision === wanted.revision) return false
  const isOnTrial = current.state.kind === 'Progressing' || current.state.kind === 'Paused'
  return isOnTrial || wanted.revision !== fleet.record.stable?.revision
}

/**
 * Greater than what any member has seen, of this fleet or of one that it left: an agent refuses an older
 * generation, and a store that was lost must not fall behind the hosts.
 */
function nextGeneration(state: RolloutEngineState, fleet: Fleet): number {
  let newest = fleet.record.generation
  for (const id of fleet.members) {
    newest = Math.max(newest, state.hosts.get(id)?.record?.report.plan?.generation ?? 0)
  }
  return newest + 1
}

function planRollout(
  state: RolloutEngineState,
  changes: Changes,
  of: { readonly fleet: Fleet; readonly wanted: WantedFleet; readonly generation: number },
): RolloutRecord {
  const { fleet, generation, wanted } = of
  const { deadlines, health, maxUnavailable } = wanted.strategy
  const keys = [...fleet.members].map((id) => orderKey(wanted.revision, id)).toSorted()
  return {
    id: `${wanted.name}.${generation}`,
    fleet: wanted.name,
    generation,
    revision: wanted.revision,
    commit: state.commit,
    image: wanted.image,
    from: fleet.record.stable,
    startedAtMs: changes.now.wallMs,
    populationSize: keys.length,
    strategy: { maxUnavailable, deadlines, health },
    waves: planWaves(wanted.strategy, keys),
    state: { kind: 'Progressing' },
    term: 0,
  }
}

/** Every unfinished rollout of the fleet, also one that a crash left without its fleet's pointer. */
function supersedeOthers(state: RolloutEngineState, changes: Changes, by: RolloutRecord): void {
  for (const rollout of state.rollouts.values()) {
    const { record } = rollout
    if (record.fleet !== by.fleet || record.state.kind === 'Superseded') continue
    withdrawAll(state, changes, {
      rolloutId: record.id,
      phase: 'Superseded',
      message: `replaced by rollout ${by.id}`,
    })
    if (!isUnfinished(record)) continue
    writeRollout(rollout, changes, {
      ...record,
      waves: record.waves.map((wave) => ({ ...wave, state: isOver(wave.state) ? wave.state : 'Cancelled' })),
      state: { kind: 'Superseded', atMs: changes.now.wallMs, by: by.id },
    })
  }
}

function isUnfinished({ state }: RolloutRecord): boolean {
  return state.kind === 'Progressing' || state.kind === 'Paused' || state.kind === 'RollingBack'
}

function isOver(state: RolloutRecord['waves'][number]['state']): boolean {
  return state === 'Succeeded' || state === 'Skipped' || state === 'Failed'
}
