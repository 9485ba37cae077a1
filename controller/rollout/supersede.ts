import { recountFleet } from './contribution.ts'
import { withdrawAll } from './grants.ts'
import { haltOf } from './fleet-record.ts'
import { isHeld } from './host-names.ts'
import { hostsAtOnce } from './jobs.ts'
import { blockOfLearning, isBehindHosts } from './learning.ts'
import { populationFor } from './population-of-fleet.ts'
import { forgetOld } from './retention.ts'
import { beginsAnew } from './retry-order.ts'
import { currentRollout, newRollout, writeFleet, writeRollout } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Fleet, RolloutEngineState } from './state.ts'
import type { ResolvedImage, WantedFleet } from './wanted.ts'
import type { RolloutRecord } from './records.ts'
import { blockOfWanted } from './wanted-blocks.ts'
import { planWaves } from './waves.ts'

/** Begins a rollout when the fleet wants what it is not getting yet. */
export function startWanted(state: RolloutEngineState, changes: Changes, fleet: Fleet): void {
  const said = state.wanted?.get(fleet.record.fleet)
  if (said === undefined || said.image === null) return
  const wanted: Resolved = { ...said, image: said.image }
  if (!needsRollout(state, fleet, wanted)) return
  const steps = planRollout(state, changes, { fleet, wanted })
  if (fleet.members.size < hostsAtOnce) {
    begin(state, changes, { fleet, record: toTheEnd(steps) })
    return
  }
  const step = (current: Changes): boolean => {
    const next = steps.next()
    if (next.done !== true) return true
    // What was ordered meanwhile counts.
    if (needsRollout(state, fleet, wanted)) begin(state, current, { fleet, record: next.value })
    return false
  }
  state.jobs.push({ concerns: { kind: 'fleet', name: wanted.name }, step })
}

function begin(
  state: RolloutEngineState,
  changes: Changes,
  of: { readonly fleet: Fleet; readonly record: RolloutRecord },
): void {
  const { fleet, record } = of
  writeFleet(state, changes, { ...fleet.record, generation: record.generation, rolloutId: record.id })
  supersedeOthers(state, changes, record)
  const rollout = newRollout(record)
  state.rollouts.set(record.id, rollout)
  writeRollout(rollout, changes, record)
  recountFleet(state, changes, record.fleet)
  forgetOld(state, changes)
  changes.again = true
}

/** Somebody to begin with: a host that was heard of, so that its generation is known, and that nobody holds. */
function hasTurn(state: RolloutEngineState, fleet: Fleet): boolean {
  for (const id of fleet.members) {
    const host = state.hosts.get(id)
    if (host !== undefined && !isHeld(host) && (host.record !== null || fleet.record.generation > 0))
      return true
  }
  return false
}

type Resolved = WantedFleet & { readonly image: ResolvedImage }

/** Who has a turn is asked last: where nobody has, it takes a look at every host. */
function mayBegin(state: RolloutEngineState, fleet: Fleet, wanted: Resolved): boolean {
  if (wanted.suspend || fleet.members.size === 0 || haltOf(state, fleet) !== null) return false
  if (blockOfLearning(state, fleet) !== null || blockOfWanted(fleet, wanted) !== null) return false
  return hasTurn(state, fleet)
}

function needsRollout(state: RolloutEngineState, fleet: Fleet, wanted: Resolved): boolean {
  return wantsAnother(state, fleet, wanted) && mayBegin(state, fleet, wanted)
}

function wantsAnother(state: RolloutEngineState, fleet: Fleet, wanted: Resolved): boolean {
  const current = currentRollout(state, fleet)?.record
  if (current === undefined || isBehindHosts(state, fleet)) return true
  // Only what was denied goes back, so somebody has allowed it since.
  if (current.revision === wanted.revision) return isBack(current) || beginsAnew(current)
  const { kind } = current.state
  const isOnTrial = kind === 'Progressing' || kind === 'Paused' || kind === 'Aborted'
  return isOnTrial || wanted.revision !== fleet.record.stable?.revision
}

/** Hosts that enrol from here on are joiners, however long the planning takes. */
function* planRollout(
  state: RolloutEngineState,
  changes: Changes,
  of: { readonly fleet: Fleet; readonly wanted: Resolved },
): Generator<undefined, RolloutRecord> {
  const { fleet, wanted } = of
  const { analysis, deadlines, health, maxUnavailable, retry, rollback } = wanted.strategy
  const { lint = 'Off', permits } = wanted
  const startedAtMs = changes.now.wallMs
  const { newest, population } = yield* populationFor(state, fleet, wanted.revision)
  const waves = yield* planWaves(wanted.strategy, population)
  const generation = Math.max(newest, fleet.record.generation) + 1
  return {
    id: `${wanted.name}.${generation}`,
    fleet: wanted.name,
    generation,
    revision: wanted.revision,
    commit: wanted.commit ?? state.commit,
    image: wanted.image,
    from: fleet.record.stable,
    startedAtMs,
    populationSize: population.ranks.length,
    strategy: { maxUnavailable, deadlines, health, analysis, rollback, retry },
    ...(lint !== 'Off' && { lint }),
    ...(permits !== undefined && { permits }),
    waves,
    state: { kind: 'Progressing' },
    log: [],
    term: 0,
  }
}

function toTheEnd<Result>(steps: Generator<undefined, Result>): Result {
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

/** Every unfinished rollout of the fleet, also one that a crash left without its fleet's pointer. */
function supersedeOthers(state: RolloutEngineState, changes: Changes, by: RolloutRecord): void {
  for (const rollout of state.rollouts.values()) {
    const { record } = rollout
    if (record.fleet !== by.fleet || record.state.kind === 'Superseded') continue
    withdrawAll(state, changes, {
      rollout,
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

function isBack({ state }: RolloutRecord): boolean {
  return state.kind === 'RolledBack' || state.kind === 'RollbackFailed'
}

function isOver(state: RolloutRecord['waves'][number]['state']): boolean {
  return state === 'Succeeded' || state === 'Skipped' || state === 'Failed'
}
