import type { Decision, WantedMeasurement } from '../../controller/rollout/decision.ts'
import type { Measurement, RolloutRecord } from '../../controller/rollout/records.ts'
import { dispatch } from './controller.ts'
import { luckOf } from './random.ts'
import { later } from './world-model.ts'
import type { World } from './world-model.ts'

const measuredAfterMs = 5_000

/** What the engine asks of others: measurements, one in flight of each, and an operator's approval. */
export function runErrands(world: World, decision: Decision): void {
  for (const measure of decision.measures) measureSoon(world, measure)
  for (const write of decision.writes) if (write.kind === 'rollout') approveSoon(world, write.record)
}

function measureSoon(
  world: World,
  { analysis: { name: analysis }, rolloutId, wave }: WantedMeasurement,
): void {
  const key = `${rolloutId} ${wave} ${analysis}`
  if (world.errands.has(key)) return
  world.errands.add(key)
  later(world, measuredAfterMs, () => {
    world.errands.delete(key)
    const outcome = outcomeOf(world, luckOf(world.scenario.seed, key, world.elapsedMs))
    dispatch(world.controller, world.office, { kind: 'measured', rolloutId, wave, analysis, outcome })
  })
}

function outcomeOf({ elapsedMs, scenario: { analyses, durationMs } }: World, luck: number): Measurement {
  if (elapsedMs >= durationMs) return { kind: 'Passed', detail: 'simulated' }
  if (luck < analyses.failureRate) return { kind: 'Failed', detail: 'simulated: 0.3, and < 0.01 is success' }
  if (luck < analyses.failureRate + analyses.inconclusiveRate) {
    return { kind: 'Inconclusive', detail: 'simulated: no answer' }
  }
  return { kind: 'Passed', detail: 'simulated' }
}

function approveSoon(world: World, { id: rolloutId, waves }: RolloutRecord): void {
  const { approvedAfterMs } = world.scenario
  const waiting = waves.find(({ state }) => state === 'AwaitingApproval')
  const key = `${rolloutId} ${waiting?.name} approval`
  if (waiting === undefined || approvedAfterMs === null || world.errands.has(key)) return
  world.errands.add(key)
  later(world, approvedAfterMs, () => {
    world.errands.delete(key)
    for (let person = 1; person <= (waiting.approval?.approvers ?? 1); person += 1) {
      const said = { actor: person === 1 ? 'kim' : `kim-${person}`, reason: 'simulated' }
      dispatch(world.controller, world.office, { kind: 'approve', rolloutId, wave: waiting.name, ...said })
    }
  })
}
