import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answer, gateCases, order, performAtGate, startGates } from '../../test/support/gate-cases.ts'
import type { GateWorld } from '../../test/support/gate-cases.ts'
import { checkAborted, gateWatch } from '../../test/support/gate-invariants.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { commit, hourMs } from '../../test/support/rollout-cases.ts'
import { checkReopened } from '../../test/support/rollout-twin.ts'
import { connect, pass, settleAll, silence } from '../../test/support/rollout-world.ts'
import type { RolloutRecord } from './records.ts'
import { activeWaveIndex } from './waves.ts'

function current({ world }: GateWorld): RolloutRecord | undefined {
  return world.store.rollouts.get(world.store.fleets.get('edge')?.rolloutId ?? '')
}

/** An hour with an operator at hand: measurements pass, approvals come, and a wave that is empty is promoted. */
function attend(gate: GateWorld): void {
  settleAll(gate.world)
  for (let round = 0; round < 8 && gate.due.length > 0; round += 1) {
    answer(gate, 'Passed')
    settleAll(gate.world)
  }
  const record = current(gate)
  const wave = record?.waves[activeWaveIndex(record.waves)]
  if (wave?.state === 'AwaitingApproval') order(gate.world, 'approve')
  if (record?.state.kind === 'Paused' && record.state.cause.kind === 'Inconclusive')
    order(gate.world, 'promote')
  pass(gate.world, hourMs / 2)
}

const ended = ['Succeeded', 'Paused', 'Aborted', 'RolledBack', 'RollbackFailed']

describe('any gates under any order of events and verbs', () => {
  it('grants nothing past a pause, an abort or a failure limit, soaks in full, and goes back to stable once', () => {
    fc.assert(
      fc.property(gateCases, ({ hosts, operations, plan }) => {
        const gate = startGates(hosts, gateWatch())
        for (const each of operations) {
          performAtGate(gate, plan, each)
          checkAborted(gate.world)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('decides the same when opened anew from its records', () => {
    fc.assert(
      fc.property(gateCases, ({ hosts, operations, plan }) => {
        const gate = startGates(hosts)
        for (const each of operations) {
          performAtGate(gate, plan, each)
          gate.world.crashAfterWrites = null
          checkReopened(gate.world)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('succeeds in the end when all answer, measurements pass and approvals come', () => {
    fc.assert(
      fc.property(gateCases, ({ hosts, operations, plan }) => {
        const gate = startGates(hosts, gateWatch())
        const { world } = gate
        for (const each of operations) performAtGate(gate, plan, each)
        world.crashAfterWrites = null
        for (const agent of world.agents.values()) {
          agent.behaviour = 'good'
          agent.ill = false
          connect(world, agent)
        }
        commit(world, plan, '9.0.0')
        for (let round = 0; round < 40 && current(gate)?.state.kind !== 'Succeeded'; round += 1) attend(gate)
        expect(current(gate)?.state.kind).toBe('Succeeded')
        pass(world, hourMs)
        const behind = [...world.agents.values()].filter(({ digest }) => digest !== imageOf('9.0.0').digest)
        expect(behind).toEqual([])
      }),
      { numRuns: 80 },
    )
  })

  it('ends or pauses with a reason when nobody approves, nothing is proven, and any host is silent', () => {
    fc.assert(
      fc.property(gateCases, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (random, silent) => {
        const gate = startGates(random.hosts, gateWatch())
        const { world } = gate
        for (const each of random.operations.slice(0, 20)) performAtGate(gate, random.plan, each)
        world.crashAfterWrites = null
        let index = 0
        for (const agent of world.agents.values()) if (silent[index++ % 8]) silence(world, agent)
        commit(world, random.plan, '9.0.0')
        for (let round = 0; round < 60; round += 1) {
          pass(world, hourMs)
          if (gate.due.length > 0) answer(gate, 'Inconclusive')
        }
        expect(ended).toContain(current(gate)?.state.kind)
      }),
      { numRuns: 60 },
    )
  })
})
