import * as fc from 'fast-check'
import { waveOf, withDefaults } from '../../controller/desired-state/strategy-defaults.ts'
import type { Analysis, Strategy, Wave } from '../../controller/desired-state/types.ts'
import type { Decision, WantedMeasurement } from '../../controller/rollout/decision.ts'
import type { Measurement } from '../../controller/rollout/records.ts'
import type { RolloutVerb } from '../../controller/rollout/events.ts'
import { imageOf } from './rollout-agent.ts'
import { commit, minuteMs, operation, perform, strategy } from './rollout-cases.ts'
import type { Operation } from './rollout-cases.ts'
import { dispatch, enrol, newWorld, settleAll } from './rollout-world.ts'
import type { World } from './rollout-world.ts'

/** What an operator orders, and what measurements answer, between everything else that may happen. */
export type GateOperation =
  | Operation
  | { readonly kind: 'order'; readonly verb: RolloutVerb['kind'] | 'retry' }
  | { readonly kind: 'answer'; readonly outcome: Measurement['kind'] }

const analysis: Analysis = {
  name: 'errors',
  provider: { kind: 'named', check: 'errors' },
  intervalMs: minuteMs,
  failureLimit: 1,
}

type Gates = Pick<Wave, 'successThresholdPercent' | 'maxSkippedPercent' | 'onEmpty' | 'approval' | 'soakMs'>
const gates: fc.Arbitrary<Gates> = fc.record({
  successThresholdPercent: fc.constantFrom(0, 0, 60, 100),
  maxSkippedPercent: fc.constantFrom(100, 100, 30),
  onEmpty: fc.constantFrom('Skip' as const, 'Skip' as const, 'Block' as const),
  approval: fc.constantFrom(null, { approvers: 1, expiresAfterMs: 120 * minuteMs }),
  soakMs: fc.constantFrom(0, 2 * minuteMs, 30 * minuteMs),
})

const gated: fc.Arbitrary<Strategy> = fc
  .record({
    plan: strategy,
    gates: fc.array(gates, { minLength: 3, maxLength: 3 }),
    isAnalysed: fc.boolean(),
    scope: fc.constantFrom('UpdatedHosts' as const, 'FailedOnly' as const),
  })
  .map(({ plan, gates: each, isAnalysed, scope }) => ({
    ...plan,
    waves: plan.waves.map((wave, index) => ({ ...wave, ...each[index] })),
    analysis: isAnalysed ? [analysis] : [],
    rollback: { ...plan.rollback, scope },
  }))

/** A rollout that is replaced at once meets no gate. */
function seldomGit(each: Operation): Operation {
  return each.kind === 'git' && each.value > 1 ? { kind: 'settle' } : each
}

const gateOperation: fc.Arbitrary<GateOperation> = fc.oneof(
  { weight: 6, arbitrary: operation.map(seldomGit) },
  { weight: 3, arbitrary: fc.constant<GateOperation>({ kind: 'settle' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('order' as const),
      verb: fc.constantFrom(
        'pause' as const,
        'resume' as const,
        'promote' as const,
        'promote' as const,
        'approve' as const,
        'abort' as const,
        'rollback' as const,
        'retry' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      outcome: fc.constantFrom(
        'Passed' as const,
        'Passed' as const,
        'Failed' as const,
        'Inconclusive' as const,
      ),
    }),
  },
)

export type GateCase = {
  readonly hosts: number
  readonly plan: Strategy
  readonly operations: readonly GateOperation[]
}

export const gateCases: fc.Arbitrary<GateCase> = fc.record({
  hosts: fc.integer({ min: 1, max: 8 }),
  plan: gated,
  operations: fc
    .tuple(fc.constantFrom(1, 2), fc.array(gateOperation, { minLength: 20, maxLength: 80 }))
    .map(([value, operations]): readonly GateOperation[] => [{ kind: 'git', value }, ...operations]),
})

export type GateWorld = { readonly world: World; due: readonly WantedMeasurement[] }
const plain: Strategy = {
  ...withDefaults('plain', {}),
  waves: [waveOf('all', { kind: 'percent', percent: 100 })],
  downloads: { maxConcurrent: 50, prefetch: 'None' },
}

/** On 1.0.0, which is stable. */
export function startGates(
  hosts: number,
  check: (world: World, decision: Decision) => void = () => undefined,
): GateWorld {
  const world: World = newWorld((_event, decision) => {
    gate.due = decision.measures
    check(world, decision)
  })
  const gate: GateWorld = { world, due: [] }
  world.broken.add(imageOf('2.0.0').digest)
  for (let index = 0; index < hosts; index += 1) enrol(world, `h${index}`, imageOf('0.0.0').digest)
  commit(world, plain, '1.0.0')
  settleAll(world)
  return gate
}

export function performAtGate(gate: GateWorld, plan: Strategy, each: GateOperation): void {
  if (each.kind === 'order') order(gate.world, each.verb)
  else if (each.kind === 'answer') answer(gate, each.outcome)
  else perform(gate.world, plan, each)
}

export function order(world: World, verb: RolloutVerb['kind'] | 'retry'): void {
  const rolloutId = world.store.fleets.get('edge')?.rolloutId ?? 'none'
  const said = { rolloutId, actor: 'kim', reason: 'by chance' }
  dispatch(world, verb === 'retry' ? { kind: verb, hostId: null, ...said } : { kind: verb, ...said })
}

export function answer(gate: GateWorld, outcome: Measurement['kind']): void {
  const [first] = gate.due
  if (first === undefined) return
  const { analysis: asked, rolloutId, wave } = first
  const measured = { kind: outcome, detail: 'by chance' }
  dispatch(gate.world, { kind: 'measured', rolloutId, wave, analysis: asked.name, outcome: measured })
}
