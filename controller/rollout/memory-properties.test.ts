import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  lostWithItsOnlyHost,
  makeGood,
  memoryCases,
  pinnedWhileAllGoBack,
  performMemory,
  startMemory,
} from '../../test/support/memory-cases.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { checkReopened } from '../../test/support/rollout-twin.ts'
import type { World } from '../../test/support/rollout-world.ts'
import type { HostDeclaration } from '../desired-state/types.ts'
import type { Decision } from './decision.ts'
import { targetOf } from './needs.ts'
import { isEnded } from './phases.ts'
import type { GrantRecord, RolloutRecord } from './records.ts'
import type { ResolvedImage } from './wanted.ts'

/** Judges every decision by what was durable before it and by what git said last. */
function checkMemory(world: World, decision: Decision): void {
  for (const lease of newLeases(world, decision)) {
    checkLease(world, lease)
    const pin = declaredOf(world, lease)?.pin ?? null
    if (pin !== null) expect(targetIn(world, lease).digest).toBe(pin)
    else if (lease.activateUntilMs === null) checkBarrier(world, decision, lease)
  }
  for (const { deny, image, stageUntilMs, activateUntilMs } of decision.publishes) {
    if (stageUntilMs !== null || activateUntilMs !== null) expect(deny).not.toContain(image.digest)
  }
}

function checkLease(world: World, lease: GrantRecord): void {
  const { everyFleet, fleets } = world.store
  const fleet = fleets.get('edge')
  expect(fleet?.halted ?? everyFleet?.halted ?? null).toBe(null)
  expect(fleet?.denied.map(({ digest }) => digest)).not.toContain(targetIn(world, lease).digest)
  const heldUntilMs = declaredOf(world, lease)?.hold?.untilMs ?? 0
  expect(heldUntilMs).toBeLessThanOrEqual(world.wallMs)
}

function declaredOf({ wanted }: World, { hostId }: GrantRecord): HostDeclaration | undefined {
  return wanted?.hosts.find(({ name }) => name === hostId)
}

function targetIn({ store }: World, lease: GrantRecord): ResolvedImage {
  return targetOf(store.rollouts.get(lease.rolloutId) as RolloutRecord, lease)
}

function newLeases({ store }: World, { writes }: Decision): readonly GrantRecord[] {
  return writes.flatMap((write) => {
    if (write.kind !== 'grant' || isEnded(write.record.phase)) return []
    const { activateUntilMs, attempt, hostId, rolloutId } = write.record
    const before = store.grants.get(`${rolloutId} ${hostId}`)
    const isActivation = before?.activateUntilMs === null && activateUntilMs !== null
    return before?.attempt !== attempt || isActivation ? [write.record] : []
  })
}

/** From below the barrier nobody is sent beyond it but by way of what it names. */
function checkBarrier(world: World, { writes }: Decision, lease: GrantRecord): void {
  const target = targetIn(world, lease)
  const said = writes.find((write) => write.kind === 'host' && write.record.hostId === lease.hostId)
  const host = said?.kind === 'host' ? said.record : world.store.hosts.get(lease.hostId)
  const below = ['0.0.0', '1.0.0', '2.0.0'].map((version) => imageOf(version).digest)
  const isBelow = below.includes(host?.report.bootedDigest ?? '')
  expect(isBelow && target.version >= '3.0.0').toBe(false)
}

describe('any fleet under any order of denials, halts, holds, pins, barriers and losses', () => {
  it('grants nothing that is denied, halted, held, beside a pin or past a barrier', () => {
    fc.assert(
      fc.property(memoryCases, (random) => {
        const memory = startMemory(random, checkMemory)
        for (const each of random.operations) performMemory(memory, each)
      }),
      { numRuns: 150 },
    )
  })

  it('decides the same when opened anew from its records', () => {
    fc.assert(
      fc.property(memoryCases, (random) => {
        const memory = startMemory(random, () => undefined)
        for (const each of random.operations) {
          performMemory(memory, each)
          memory.world.crashAfterWrites = null
          checkReopened(memory.world)
        }
      }),
      { numRuns: 100, examples: [[lostWithItsOnlyHost], [pinnedWhileAllGoBack]] },
    )
  })

  it('brings every host to the newest image in the end when nothing keeps it', () => {
    fc.assert(
      fc.property(memoryCases, (random) => {
        const memory = startMemory(random, checkMemory)
        for (const each of random.operations) performMemory(memory, each)
        makeGood(memory)
        const behind = [...memory.world.agents.values()].filter(
          ({ digest }) => digest !== imageOf('9.0.0').digest,
        )
        expect(behind).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})
